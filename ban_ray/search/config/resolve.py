"""Resolves the options of a search to its specification."""

import random
from dataclasses import replace

from ban_ray.cli.pairs import alternatives
from ban_ray.cli.params import first_sentence, option_name, validated
from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.networks.network_versions import NetworkVersions
from ban_ray.networks.source_version import chosen_version
from ban_ray.search.config import spaces
from ban_ray.search.config.checks import check_teacher_cache, reject_ineffective_options
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.spec import SearchSpec, with_grid_chains
from ban_ray.search.config.strategy import resolve_strategy
from ban_ray.search.teachers.decisions import read_decisions
from ban_ray.specs import Network, Objective, Scale, SearchSpace, SpaceContext, Task
from ban_ray.specs.fields.given import read_fields
from ban_ray.specs.fields.searched import with_searched
from ban_ray.specs.parameters import Configuration, sample
from ban_ray.specs.recipes import RECIPES
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source

NUM_PROBED = 32
"""Configurations of a sampled space for which the effect of options is checked."""


def resolve(options: SearchOptions) -> SearchSpec:
    """Check every option and build the chains.

    Raises:
        UserError: the first option that cannot be used.
    """
    space = spaces.load(options.space)
    if options.scale not in space.scales:
        raise UserError(f"space {space.name} has no scale {options.scale!r}; it has {', '.join(space.scales)}")
    scale = _restricted(space.scales[options.scale], options.only, space)
    objective, recipe_changes = _objective(options, scale), _recipe_changes(options)
    option_objective = objective if options.objective is not None else None
    overrides = read_fields(options.settings, options.search, space, recipe_changes, option_objective)
    for option in sorted(space.chooses & SearchOptions.model_fields.keys()):
        if getattr(options, option) is not None:
            raise UserError(
                f"{option_name(option)} {getattr(options, option)!r} has no effect: space {space.name} chooses it"
            )
    files = options.model_dump(include=Source.model_fields.keys() - {"name"})
    source = Source.of(_task_name(options, scale, space), **files)
    network = _network(options, space)
    space, scale = with_searched(space, scale, overrides.searched)
    seeds = options.seeds if options.seeds is not None else scale.seeds
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {','.join(map(str, seeds))!r}: different whole numbers from 0 are needed")

    try:
        dataset = open_source(source)
    except OSError as error:
        raise UserError(f"the data of task {source.name} cannot be cached: {error}") from error
    default_noise = scale.label_noise if options.task is None else 0.0
    noise = default_noise if options.label_noise is None else options.label_noise
    task = _task(source, dataset.fingerprint, options, scale, noise)
    recipe = scale.recipes.get(source.name) or scale.recipes.get(TASK_TYPES[source.name].sample_noun, scale.recipe)
    recipe_changes = {**_named_recipe(options), **recipe_changes}
    unchanged = SpaceContext(options.scale, task, recipe, objective, scale.generations, options.generations, network)
    context = overrides.apply_to(unchanged, recipe_changes)
    sample_counts = TASK_TYPES[task.name].sizes(context.task, dataset)
    check_teacher_cache(options.teacher_cache, task, dataset, sample_counts)
    spec = SearchSpec(
        options=options,
        space=space,
        scale=scale,
        context=context,
        strategy=resolve_strategy(options, space.name, scale, task.protocol),
        data_source=source,
        dataset=dataset,
        seeds=seeds,
        chains=(),
        sample_counts=sample_counts,
        teacher_decisions=read_decisions(options.teacher, space, scale),
        network_versions=NetworkVersions(network),
        overrides=overrides,
    )
    if spec.is_sampled and options.budget is not None:
        raise UserError(f"--budget {options.budget} has no effect: space {space.name} is sampled and has no list")
    if spec.is_sampled:
        # Refuse a space that cannot make chains before anything starts.
        rng = random.Random(0)
        probes = tuple(spec.chains_of(sample(scale.parameters, rng))[0] for _ in range(NUM_PROBED))
        chains = [planned.chain for planned in probes]
        reject_ineffective_options(chains, options, teacher_pending=spec.teacher_decisions.takes_members)
    else:
        spec = with_grid_chains(spec)
        probes = spec.chains
    configured = [(planned.configuration, planned.chain) for planned in probes]

    def keys_of(configuration: Configuration, context: SpaceContext) -> tuple[str, ...]:
        return replace(spec, context=context).chains_of(configuration)[0].chain.keys

    overrides.check_effect(space.name, context, unchanged, configured, keys_of)
    return replace(spec, space_code_versions=spec.network_versions.known)


def _restricted(scale: Scale, only: str | None, space: SearchSpace) -> Scale:
    """The scale with only those configurations that have the values of ``--only``."""
    if only is None:
        return scale
    try:
        return scale.only(alternatives("--only", only, "depth=16"))
    except UserError as error:
        raise UserError(f"--only {only!r}, space {space.name}: {error}") from error


def _task_name(options: SearchOptions, scale: Scale, space: SearchSpace) -> str:
    name = options.task or (space.data_task if options.data is not None else "") or scale.task
    if name not in TASK_TYPES:
        raise UserError(f"--task {name!r} is unknown; allowed are {', '.join(TASK_TYPES)}")
    return name


def _network(options: SearchOptions, space: SearchSpace) -> Network | None:
    if not space.takes_network:
        for name in ("network", "network_args", "network_version"):
            if (value := getattr(options, name)) is not None:
                raise UserError(f"{option_name(name)} {value!r} has no effect: space {space.name} has its own networks")
        return None
    if options.network is None:
        raise UserError(f"space {space.name} needs --network; allowed are {', '.join(registry.forms())}")
    arguments = options.network_args or {}
    architecture = registry.parse(options.network, arguments or None)
    return Network(architecture.name, arguments, chosen_version(architecture, options.network_version))


def _objective(options: SearchOptions, scale: Scale) -> Objective:
    if options.objective is None:
        return scale.objective
    try:
        return Objective.parse(options.objective)
    except ValueError as error:
        raise UserError(f"--objective {options.objective!r}: {first_sentence(error)}") from error


def _named_recipe(options: SearchOptions) -> dict[str, object]:
    """All fields of the recipe of ``--recipe``: they replace those of whatever recipe the space has for a network."""
    if options.recipe is None:
        return {}
    if options.recipe not in RECIPES:
        raise UserError(f"--recipe {options.recipe!r} is unknown; allowed are {', '.join(RECIPES)}")
    return dict(RECIPES[options.recipe])


def _recipe_changes(options: SearchOptions) -> dict[str, object]:
    """The fields of the recipe that have options of their own."""
    changes = options.model_dump(include={"epochs", "batch_size", "precision", "workers"}, exclude_none=True)
    return changes if options.teacher_cache is None else {**changes, "teacher_outputs": "cached"}


def _task(source: Source, fingerprint: str, options: SearchOptions, scale: Scale, noise: float) -> Task:
    fields = {
        "name": source.name,
        "fingerprint": fingerprint,
        "split_seed": options.split_seed,
        "label_noise": noise,
        "protocol": options.protocol or scale.protocol,
        "tokens": source.tokens,
        "flip": options.flip,
        **({} if options.noise_kind is None else {"noise_kind": options.noise_kind}),
    }
    task = validated(Task, fields)
    if task.split_seed and task.protocol == "paper" and not task.label_noise:
        raise UserError(
            f"--split-seed {task.split_seed} has no effect with --protocol paper, which holds nothing out, without "
            "--label-noise"
        )
    return task
