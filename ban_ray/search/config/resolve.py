"""From the command line's choices to the chains of a search."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ban_ray.errors import UserError
from ban_ray.evaluation.metrics import Metric
from ban_ray.networks import registry
from ban_ray.search.config import space_errors, spaces
from ban_ray.search.config import strategy as policies
from ban_ray.search.config.choices import (
    Options,
    recipe_changes,
    resolve_network,
    resolve_objective,
    resolve_recipe,
    resolve_task,
    resolve_task_name,
    resolve_teacher,
)
from ban_ray.search.config.code_versions import CodeVersions
from ban_ray.search.config.ineffective import reject_ineffective_options
from ban_ray.search.config.strategy import SearchStrategy
from ban_ray.search.config.teacher_cache import parse_teacher_cache
from ban_ray.search.config.teachers import SelectedTeachers
from ban_ray.specs import BASELINE, Chain, Scale, SearchSpace, SpaceContext, TablePosition
from ban_ray.specs.parameters import grid, sample
from ban_ray.specs.space import Configuration
from ban_ray.specs.teacher_choice import TeacherChoice
from ban_ray.tasks.batches import steps_per_epoch
from ban_ray.tasks.dataset import DataSet, Sizes, sizes
from ban_ray.tasks.metric import metric_of
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source

NUM_PROBED = 32
"""Configurations of a sampled space that stand for all of it where an option's use is checked."""


@dataclass(frozen=True)
class PlannedChain:
    """One chain of a search: a configuration at a seed."""

    configuration: Configuration
    seed: int
    chain: Chain
    position: TablePosition

    @property
    def metric(self) -> Metric:
        """What it is measured by."""
        return metric_of(self.chain.generations[0].task)

    @property
    def title(self) -> str:
        """The row, the column where that says more than the generation's number, and the seed."""
        column = self.position.columns[-1]
        plain = column.startswith("BAN-") or column == BASELINE
        return f"{self.position.row}{'' if plain else ' ' + column} seed {self.seed}"

    @property
    def slug(self) -> str:
        """The title as a name that dashboards and file systems take."""
        return re.sub(r"[^A-Za-z0-9._-]+", "_", self.title)


@dataclass(frozen=True)
class SearchSpec:
    """A search, checked and ready to be planned.

    Attributes:
        chains: of a grid all of them, of a sampled search those that are known.
        versions: of networks of the user's own.
        code: those of networks that the space names itself, of which a sampled search knows some.
        left_out: configurations of a grid that a limit keeps out, as sentences.
    """

    space: SearchSpace
    scale: Scale
    context: SpaceContext
    strategy: SearchStrategy
    source: Source
    dataset: DataSet
    seeds: tuple[int, ...]
    chains: tuple[PlannedChain, ...]
    sizes: Sizes
    teacher: TeacherChoice
    versions: CodeVersions
    code: tuple[str, ...] = ()
    teacher_description: str = ""
    teacher_cache_bytes: int = 0
    recompute: bool = False
    skipped: tuple[str, ...] = ()

    @property
    def is_sampled(self) -> bool:
        return self.strategy.sampler != "grid"

    def with_teachers(self, teachers: SelectedTeachers) -> "SearchSpec":
        """The same search with first generations taught by members."""
        taught = replace(
            self, context=replace(self.context, teachers=teachers.keys), teacher_description=teachers.description
        )
        return taught if self.is_sampled else _with_grid_chains(taught)

    @property
    def generations(self) -> int:
        """Born-again generations of the longest chain."""
        longest = max((len(planned.chain.generations) - 1 for planned in self.chains), default=None)
        return self.context.generations_for() if longest is None else longest

    def chains_of(self, configuration: Configuration) -> tuple[PlannedChain, ...]:
        """A configuration's chains, one for each seed.

        Raises:
            UserError: the configuration makes no chain.
        """
        return tuple(_plan_chain(self, configuration, seed) for seed in self.seeds)

    @property
    def metric(self) -> Metric:
        """What the chains are compared by."""
        return metric_of(self.context.task)

    @property
    def error_description(self) -> str:
        """What the first target is, in words."""
        return self.strategy.error_description(self.metric)

    @property
    def setting_description(self) -> str:
        """One line that belongs beside every figure."""
        task = self.context.task
        parts = [
            f"{task.name}: {self.sizes.train:,} training, {self.sizes.held_out:,} held-out and "
            f"{self.sizes.test:,} test {self.metric.samples}"
        ]
        if task.label_noise:
            parts.append(
                f"{100 * task.label_noise:g} % of the training labels replaced at random (not the papers' setting)"
            )
        if task.protocol == "paper":
            # A text's validation part is never trained on.
            everything = "" if self.sizes.held_out else "trained on everything, "
            parts.append(f"paper protocol: {everything}last epoch on test")
        if self.teacher_description:
            parts.append(f"generation 0 taught by members: {self.teacher_description}")
        return "; ".join(parts)


def resolve(options: Options) -> SearchSpec:
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
            raise UserError(f"--{option} {getattr(options, option)!r} is of no use: space {space.name} chooses it")
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
    if options.generations is not None and options.generations < 0:
        raise UserError(f"--generations {options.generations} is negative; 0 (the baseline alone) and more are allowed")
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
    sample_counts = sizes(task, dataset)
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
    spec = SearchSpec(
        space=space,
        scale=scale,
        context=context,
        strategy=policies.resolve_strategy(options, space.name, scale, task.protocol),
        source=source,
        dataset=dataset,
        seeds=seeds,
        chains=(),
        sizes=sample_counts,
        teacher=resolve_teacher(options, space),
        versions=CodeVersions(network),
        teacher_cache_bytes=parse_teacher_cache(options.teacher_cache, task, dataset, sample_counts),
        recompute=options.recompute,
    )
    if spec.is_sampled:
        # A space that cannot make chains is told of before anything starts.
        rng = random.Random(0)
        drawn = [spec.chains_of(sample(scale.parameters, rng))[0] for _ in range(NUM_PROBED)]
        _reject_ineffective_options(spec, drawn)
    else:
        spec = _with_grid_chains(spec)
    return replace(spec, code=spec.versions.computed)


def _with_grid_chains(spec: SearchSpec) -> SearchSpec:
    """With the chains of every configuration that is not too large."""
    chains: list[PlannedChain] = []
    skipped = []
    for configuration in spec.scale.configurations or grid(spec.scale.parameters):
        if reason := size_violation(spec, configuration):
            skipped.append(f"{json.dumps(dict(configuration))} was left out: {reason}")
        else:
            chains.extend(spec.chains_of(configuration))
    if not chains:
        raise UserError(
            f"--max-parameters {spec.strategy.max_parameters} leaves no configuration of space {spec.space.name}"
        )
    _reject_ineffective_options(spec, chains)
    return replace(spec, chains=tuple(chains), skipped=tuple(skipped))


def _reject_ineffective_options(spec: SearchSpec, chains: Sequence[PlannedChain]) -> None:
    # A teacher from the population is not chosen yet, and generation 0 will have use for its outputs.
    teacher_pending = spec.teacher.kind != "parent" and not spec.context.teachers
    reject_ineffective_options(
        [planned.chain for planned in chains],
        teacher_cache=spec.teacher_cache_bytes > 0 and not teacher_pending,
        recompute=spec.recompute,
        select_by=spec.strategy.select_by,
    )


def size_violation(spec: SearchSpec, configuration: Configuration) -> str:
    """Why a configuration is too large to be run; empty where it is not.

    Raises:
        UserError: the configuration makes no chain.
    """
    limit = spec.strategy.max_parameters
    if limit is not None:
        for generation in spec.chains_of(configuration)[0].chain.generations:
            architecture = registry.parse(generation.network, generation.network_arguments or None)
            count = architecture.parameters(spec.dataset.num_classes, spec.dataset.in_channels)
            if count > limit:
                return f"a network has more than {limit:,} parameters"
    return ""


def invalid_reason(spec: SearchSpec, configuration: Configuration) -> str:
    """Why a configuration may not be run; empty where it may."""
    try:
        spec.chains_of(configuration)
        return size_violation(spec, configuration)
    except UserError as error:
        return f"they make no chain ({error})"


def _plan_chain(request: SearchSpec, configuration: Configuration, seed: int) -> PlannedChain:
    space = request.space
    try:
        chain = request.versions.apply_to(space.chain(configuration, request.context, seed))
        position = space.place(configuration, chain)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"space {space.name} at {dict(configuration)}: {space_errors.space_error_sentence(error)}"
        ) from error
    for generation in chain.generations:
        architecture = registry.parse(generation.network, generation.network_arguments or None)
        registry.check_fits(architecture, generation.task.name)
        steps_per_epoch(generation.task.name, request.sizes.train, generation.recipe)
    return PlannedChain(configuration, seed, chain, position)
