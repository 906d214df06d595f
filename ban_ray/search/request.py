"""From the command line's choices to the chains of a search."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ban_ray.errors import UserError
from ban_ray.metrics import Metric, metric_of
from ban_ray.networks import names
from ban_ray.search import policy as policies
from ban_ray.search import space_errors, spaces
from ban_ray.search.options import (
    Options,
    network_of,
    objective_of,
    recipe_changes,
    recipe_of,
    task_name,
    task_of,
    teacher_of,
)
from ban_ray.search.policy import Policy
from ban_ray.search.teacher_cache import cache_bytes
from ban_ray.search.teachers import Chosen
from ban_ray.search.unused import refuse_unused
from ban_ray.search.versions import Versions
from ban_ray.specs import BASELINE, Chain, Place, Scale, SearchSpace, Setting
from ban_ray.specs.parameters import draw, points
from ban_ray.specs.space import Configuration
from ban_ray.specs.teacher import TeacherChoice
from ban_ray.tasks.batches import steps_an_epoch
from ban_ray.tasks.data_set import DataSet, Sizes, sizes
from ban_ray.tasks.load import open_source
from ban_ray.tasks.source import Source

_DRAWN = 32
"""Configurations of a sampled space that stand for all of it where an option's use is checked."""


@dataclass(frozen=True)
class Planned:
    """One chain of a search: a configuration at a seed."""

    configuration: Configuration
    seed: int
    chain: Chain
    place: Place

    @property
    def metric(self) -> Metric:
        """What it is measured by."""
        return metric_of(self.chain.generations[0].task)

    @property
    def title(self) -> str:
        """The row, the column where that says more than the generation's number, and the seed."""
        column = self.place.columns[-1]
        plain = column.startswith("BAN-") or column == BASELINE
        return f"{self.place.row}{'' if plain else ' ' + column} seed {self.seed}"

    @property
    def slug(self) -> str:
        """The title as a name that dashboards and file systems take."""
        return re.sub(r"[^A-Za-z0-9._-]+", "_", self.title)


@dataclass(frozen=True)
class Request:
    """A search, checked and ready to be planned.

    Attributes:
        chains: of a grid all of them, of a sampled search those that are known.
        versions: of networks of the user's own.
        code: those of networks that the space names itself, of which a sampled search knows some.
        left_out: configurations of a grid that a limit keeps out, as sentences.
    """

    space: SearchSpace
    scale: Scale
    setting: Setting
    policy: Policy
    source: Source
    decoded: DataSet
    seeds: tuple[int, ...]
    chains: tuple[Planned, ...]
    sizes: Sizes
    teacher: TeacherChoice
    versions: Versions
    code: tuple[str, ...] = ()
    teacher_told: str = ""
    teacher_cache_bytes: int = 0
    recompute: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def sampled(self) -> bool:
        return self.policy.sampler != "grid"

    def taught(self, teachers: Chosen) -> "Request":
        """The same search with first generations taught by members."""
        taught = replace(self, setting=replace(self.setting, teachers=teachers.keys), teacher_told=teachers.how)
        return taught if self.sampled else _with_grid(taught)

    @property
    def generations(self) -> int:
        """Born-again generations of the longest chain."""
        longest = max((len(planned.chain.generations) - 1 for planned in self.chains), default=None)
        return self.setting.generations_for() if longest is None else longest

    def planned(self, configuration: Configuration) -> tuple[Planned, ...]:
        """A configuration's chains, one for each seed.

        Raises:
            UserError: the configuration makes no chain.
        """
        return tuple(_planned(self, configuration, seed) for seed in self.seeds)

    @property
    def metric(self) -> Metric:
        """What the chains are compared by."""
        return metric_of(self.setting.task)

    @property
    def minimised_title(self) -> str:
        """What the first target is, in words."""
        return self.policy.error_title(self.metric)

    @property
    def regime(self) -> str:
        """One line that belongs beside every figure."""
        task = self.setting.task
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
        if self.teacher_told:
            parts.append(f"generation 0 taught by members: {self.teacher_told}")
        return "; ".join(parts)


def resolve(options: Options) -> Request:
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
        task_name(options, scale, space),
        options.data,
        options.label_column,
        options.image_size,
        options.download,
        options.tokens,
    )
    network = network_of(options, space)
    objective = objective_of(options, scale)
    recipe = recipe_of(options, scale, source.name)
    if options.generations is not None and options.generations < 0:
        raise UserError(f"--generations {options.generations} is negative; 0 (the baseline alone) and more are allowed")
    seeds = options.seeds if options.seeds is not None else scale.seeds
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {','.join(map(str, seeds))!r}: different whole numbers from 0 are needed")

    try:
        decoded = open_source(source)
    except OSError as error:
        raise UserError(f"the data of task {source.name} cannot be kept: {error}") from error
    default_noise = scale.label_noise if options.task is None else 0.0
    noise = default_noise if options.label_noise is None else options.label_noise
    task = task_of(source, decoded.fingerprint, options, scale, noise)
    counted = sizes(task, decoded)
    setting = Setting(
        options.scale,
        task,
        recipe,
        objective,
        scale.generations,
        options.generations,
        network,
        recipe_changes=recipe_changes(options),
    )
    request = Request(
        space=space,
        scale=scale,
        setting=setting,
        policy=policies.resolve(options, space.name, scale, task.protocol),
        source=source,
        decoded=decoded,
        seeds=seeds,
        chains=(),
        sizes=counted,
        teacher=teacher_of(options, space),
        versions=Versions(network),
        teacher_cache_bytes=cache_bytes(options.teacher_cache, task, decoded, counted),
        recompute=options.recompute,
    )
    if request.sampled:
        # A space that cannot make chains is told of before anything starts.
        chance = random.Random(0)
        drawn = [request.planned(draw(scale.parameters, chance))[0] for _ in range(_DRAWN)]
        _refuse_unused(request, drawn)
    else:
        request = _with_grid(request)
    return replace(request, code=request.versions.computed)


def _with_grid(request: Request) -> Request:
    """With the chains of every configuration that is not too large."""
    chains: list[Planned] = []
    left_out = []
    for configuration in request.scale.configurations or points(request.scale.parameters):
        if reason := refusal(request, configuration):
            left_out.append(f"{json.dumps(dict(configuration))} was left out: {reason}")
        else:
            chains.extend(request.planned(configuration))
    if not chains:
        raise UserError(
            f"--max-parameters {request.policy.max_parameters} leaves no configuration of space {request.space.name}"
        )
    _refuse_unused(request, chains)
    return replace(request, chains=tuple(chains), left_out=tuple(left_out))


def _refuse_unused(request: Request, chains: Sequence[Planned]) -> None:
    # A teacher from the population is not chosen yet, and generation 0 will have use for its outputs.
    awaited = request.teacher.kind != "parent" and not request.setting.teachers
    refuse_unused(
        [planned.chain for planned in chains],
        teacher_cache=request.teacher_cache_bytes > 0 and not awaited,
        recompute=request.recompute,
        error_of=request.policy.error_of,
    )


def refusal(request: Request, configuration: Configuration) -> str:
    """Why a configuration is too large to be run; empty where it is not.

    Raises:
        UserError: the configuration makes no chain.
    """
    limit = request.policy.max_parameters
    if limit is not None:
        for generation in request.planned(configuration)[0].chain.generations:
            architecture = names.parse(generation.network, generation.network_arguments or None)
            count = architecture.parameters(request.decoded.num_classes, request.decoded.in_channels)
            if count > limit:
                return f"a network has more than {limit:,} parameters"
    return ""


def refused(request: Request, configuration: Configuration) -> str:
    """Why a configuration may not be run; empty where it may."""
    try:
        request.planned(configuration)
        return refusal(request, configuration)
    except UserError as error:
        return f"they make no chain ({error})"


def _planned(request: Request, configuration: Configuration, seed: int) -> Planned:
    space = request.space
    try:
        chain = request.versions.written_into(space.chain(configuration, request.setting, seed))
        place = space.place(configuration, chain)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"space {space.name} at {dict(configuration)}: {space_errors.sentence(error)}") from error
    for generation in chain.generations:
        architecture = names.parse(generation.network, generation.network_arguments or None)
        names.check_fits(architecture, generation.task.name)
        steps_an_epoch(generation.task.name, request.sizes.train, generation.recipe)
    return Planned(configuration, seed, chain, place)
