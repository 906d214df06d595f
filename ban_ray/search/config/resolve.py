"""From the options of a search to its specification."""

import random
from dataclasses import replace

from ban_ray.cli.params import option_name
from ban_ray.errors import UserError
from ban_ray.search.config import spaces
from ban_ray.search.config.checks import check_teacher_cache, reject_ineffective_options
from ban_ray.search.config.choices import (
    recipe_changes,
    resolve_network,
    resolve_objective,
    resolve_recipe,
    resolve_task,
    resolve_task_name,
    resolve_teacher,
)
from ban_ray.search.config.code_versions import CodeVersions
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.spec import SearchSpec, with_grid_chains
from ban_ray.search.config.strategy import resolve_strategy
from ban_ray.specs import SpaceContext
from ban_ray.specs.parameters import sample
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source

NUM_PROBED = 32
"""Configurations of a sampled space that stand for all of it where an option's effect is checked."""


def resolve(options: SearchOptions) -> SearchSpec:
    """Check every choice and build the chains.

    Raises:
        UserError: the first choice that cannot be used.
    """
    space = spaces.load(options.space)
    if options.scale not in space.scales:
        raise UserError(f"space {space.name} has no scale {options.scale!r}; it has {', '.join(space.scales)}")
    scale = space.scales[options.scale]
    for option in sorted(space.chooses):
        if getattr(options, option) is not None:
            raise UserError(
                f"{option_name(option)} {getattr(options, option)!r} has no effect: space {space.name} chooses it"
            )
    source = Source.of(
        resolve_task_name(options, scale, space),
        options.data,
        options.label_column,
        options.image_size,
        options.download,
        options.tokens,
    )
    network = resolve_network(options, space)
    objective = resolve_objective(options, scale)
    recipe = resolve_recipe(options, scale, source.name)
    seeds = options.seeds if options.seeds is not None else scale.seeds
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {','.join(map(str, seeds))!r}: different whole numbers from 0 are needed")

    try:
        dataset = open_source(source)
    except OSError as error:
        raise UserError(f"the data of task {source.name} cannot be kept: {error}") from error
    default_noise = scale.label_noise if options.task is None else 0.0
    noise = default_noise if options.label_noise is None else options.label_noise
    task = resolve_task(source, dataset.fingerprint, options, scale, noise)
    sample_counts = TASK_TYPES[task.name].sizes(task, dataset)
    context = SpaceContext(
        options.scale,
        task,
        recipe,
        objective,
        scale.generations,
        options.generations,
        network,
        recipe_changes=recipe_changes(options),
    )
    check_teacher_cache(options.teacher_cache, task, dataset, sample_counts)
    spec = SearchSpec(
        options=options,
        space=space,
        scale=scale,
        context=context,
        strategy=resolve_strategy(options, space.name, scale, task.protocol),
        source=source,
        dataset=dataset,
        seeds=seeds,
        chains=(),
        sizes=sample_counts,
        teacher=resolve_teacher(options, space),
        versions=CodeVersions(network),
    )
    if spec.is_sampled:
        # A space that cannot make chains is refused before anything starts.
        rng = random.Random(0)
        probes = [spec.chains_of(sample(scale.parameters, rng))[0].chain for _ in range(NUM_PROBED)]
        reject_ineffective_options(probes, options, teacher_pending=spec.teacher.kind != "parent")
    else:
        spec = with_grid_chains(spec)
    return replace(spec, code=spec.versions.computed)
