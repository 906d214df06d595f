"""Options that no chain of a search has a use for."""

from collections.abc import Sequence

from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.specs import Chain


def reject_ineffective_options(
    chains: Sequence[Chain], *, teacher_cache: bool, recompute: bool, select_by: str
) -> None:
    """Refuse an option that would be without effect in all of the chains.

    Args:
        chains: of a grid all of them, of a sampled search some.
        error_of: whose held-out error stands for a chain, as in `Policy`.

    Raises:
        UserError: the first such option.
    """
    generations = [generation for chain in chains for generation in chain.generations]
    if teacher_cache and not any(g.recipe.teacher_outputs == "cached" for g in generations):
        raise UserError("--teacher-cache is of no use: no network here learns from a teacher")
    networks = {generation.network for generation in generations}
    if recompute and not any(isinstance(registry.parse(network), registry.DENSE) for network in networks):
        raise UserError(f"--recompute is of no use: no network here has dense units, {sorted(networks)[0]} has none")
    if select_by != "last" and all(len(chain.generations) == 1 for chain in chains):
        raise UserError(f"--target {select_by!r} is of no use: every chain here is one generation, its last")
