"""Checks for options of a search that are too small or have no effect on any chain."""

from collections.abc import Sequence

from ban_ray.augmentations import Pipeline
from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.search.config.options import SearchOptions
from ban_ray.specs import Chain, Task
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.task_type import DataSet, Sizes
from ban_ray.training.teacher_cache.shared_memory import bytes_needed


def check_teacher_cache(limit_bytes: int | None, task: Task, dataset: DataSet, sizes: Sizes) -> None:
    """Refuse a cache that does not hold a teacher's outputs of one epoch.

    Args:
        limit_bytes: bytes for each teacher on each node; None where its outputs are computed online.

    Raises:
        UserError: the cache is too small, or the task's samples have no countable views.
    """
    if limit_bytes is None:
        return
    num_views = TASK_TYPES[task.name].views(task, dataset, sizes)
    if not num_views:
        raise UserError(
            f"--teacher-cache {_megabytes(limit_bytes)} has no effect: a token's output depends on all tokens before it"
        )
    least, most = (bytes_needed(num_views, rows, dataset.num_classes) for rows in (sizes.train, num_views))
    if limit_bytes < least:
        raise UserError(
            f"--teacher-cache {_megabytes(limit_bytes)} does not hold the outputs of one epoch: at least "
            f"{_megabytes(least)} are needed here, and {_megabytes(most)} hold all {num_views:,} views of "
            f"{sizes.train:,} images"
        )


def reject_ineffective_options(chains: Sequence[Chain], options: SearchOptions, *, teacher_pending: bool) -> None:
    """Refuse an option that has no effect on any of the chains.

    Args:
        chains: all chains of a grid, some of a sampled search.
        teacher_pending: whether a teacher from the population is not chosen yet, whose outputs will be cached.

    Raises:
        UserError: the first such option.
    """
    generations = [generation for chain in chains for generation in chain.generations]
    is_cached = teacher_pending or any(generation.recipe.teacher_outputs == "cached" for generation in generations)
    if options.teacher_cache is not None and not is_cached:
        raise UserError("--teacher-cache has no effect: no network here learns from a teacher")
    networks = {generation.network for generation in generations}
    recipes = [generation.recipe for chain in chains for generation in chain.generations]
    if options.flip is not None and all(Pipeline.parse(recipe.augmentation).flip is not None for recipe in recipes):
        option = "--flip" if options.flip else "--no-flip"
        raise UserError(f"{option} has no effect: recipe.augmentation {recipes[0].augmentation} has its own mirroring")
    if options.recompute and not any(registry.parse(network).recomputable for network in networks):
        raise UserError(f"--recompute has no effect: no network here has dense units, {sorted(networks)[0]} has none")
    if options.target not in (None, "last") and all(len(chain.generations) == 1 for chain in chains):
        raise UserError(f"--target {options.target!r} has no effect: every chain here is one generation, its last")


def _megabytes(size: int) -> str:
    """A size in megabytes, rounded up."""
    return f"{-(-size // 10**6)}MB"
