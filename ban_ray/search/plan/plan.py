"""What a search will do, before it does it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from ban_ray.cli.console import new_table
from ban_ray.networks import registry
from ban_ray.population import Population
from ban_ray.search.config.resolve import PlannedChain, SearchSpec
from ban_ray.search.plan import equal_chains
from ban_ray.search.plan.cost import Cost, estimate
from ban_ray.search.plan.stored_shapes import check_stored_shapes
from ban_ray.search.results.live import format_duration
from ban_ray.specs import Choice, FloatRange, Generation
from ban_ray.specs.parameters import Parameter, parameters_as_json


@dataclass(frozen=True)
class Plan:
    """The distinct generations of a search; one that several chains name counts once.

    Attributes:
        there: keys that are members already.
        missing: generations to train, in the order in which chains first name them.
        open: chains that miss at least one generation.
    """

    request: SearchSpec
    published: frozenset[str]
    missing: tuple[Generation, ...]
    open_chains: tuple[PlannedChain, ...]

    @property
    def distinct(self) -> int:
        return len(self.published) + len(self.missing)


def make_plan(request: SearchSpec, population: Population | None) -> Plan:
    """Look every generation up; without a population, all are missing.

    Raises:
        UserError: a member's network is built by code of the user's, and is another today.
    """
    decoded = request.dataset
    wanted = {generation.key: generation for planned in request.chains for generation in planned.chain.generations}
    published = frozenset(key for key in wanted if population is not None and key in population)
    if population is not None:
        held = [generation for key, generation in wanted.items() if key in published]
        check_stored_shapes(held, population, num_classes=decoded.num_classes, in_channels=decoded.in_channels)
    missing = tuple(generation for key, generation in wanted.items() if key not in published)
    open_chains = tuple(planned for planned in request.chains if not published.issuperset(planned.chain.keys))
    return Plan(request, published, missing, open_chains)


def print_plan(plan: Plan, console: Console) -> None:
    """Print the plan: one row a configuration, then the totals; of a sampled search its parameters."""
    request = plan.request
    if request.is_sampled:
        _show_parameters(request, console)
        return
    table = new_table("network", "parameters", "seeds", "to train", "there")
    for row, group in group_by_row(request.chains).items():
        keys = {key for planned in group for key in planned.chain.keys}
        seeds = dict.fromkeys(planned.seed for planned in group)
        table.add_row(
            row,
            format_count(row_parameters(request, group)),
            ",".join(map(str, seeds)),
            str(len(keys - plan.published)),
            str(len(keys & plan.published)),
        )
    console.print(table)
    console.print(
        f"{pluralised(len(request.chains), 'chain')}, {plan.distinct} distinct generations: "
        f"{len(plan.missing)} to train, {len(plan.published)} already there",
        highlight=False,
    )
    if equal := equal_chains.equal_chains_sentence(request.chains):
        console.print(equal, style="yellow", highlight=False, markup=False, soft_wrap=not console.is_terminal)
    if reused := reused_teachers(plan):
        networks = ", ".join(f"{network} ({pluralised(number, 'member')})" for network, number in reused.items())
        console.print(
            f"Teachers taken from the population: {networks}",
            highlight=False,
            markup=False,
            soft_wrap=not console.is_terminal,
        )


def reused_teachers(plan: Plan) -> dict[str, int]:
    """How many members of each network are there already and teach what is to be trained."""
    wanted = {g.key: g for planned in plan.request.chains for g in planned.chain.generations}
    keys = dict.fromkeys(key for generation in plan.missing for key in generation.teachers if key in plan.published)
    return dict(Counter(wanted[key].network for key in keys))


def _show_parameters(request: SearchSpec, console: Console) -> None:
    table = new_table("parameter", "values", "where")
    for name, parameter in request.scale.parameters.items():
        where = " and ".join(f"{other} is {' or '.join(map(str, values))}" for other, values in parameter.when.items())
        table.add_row(name, values_text(parameter), where)
    console.print(table)
    policy = request.strategy
    samples = policy.samples or 0
    limit = f", networks up to {policy.max_parameters:,} parameters" if policy.max_parameters else ""
    console.print(
        f"{samples} configurations by {policy.sampler}, seeds {','.join(map(str, request.seeds))}, up to "
        f"{samples * len(request.seeds) * (request.generations + 1)} generations{limit}; "
        f"minimised: {', '.join(policy.targets)} ({request.error_description}); "
        f"stopping {'on' if policy.stopping else 'off'}",
        highlight=False,
        soft_wrap=not console.is_terminal,
    )


def values_text(parameter: Parameter) -> str:
    """The values of a parameter in words."""
    if isinstance(parameter, Choice):
        return ", ".join(map(str, parameter.values))
    step = f" by {parameter.step:g}" if parameter.step is not None else ""
    scale = ", by its logarithm" if isinstance(parameter, FloatRange) and parameter.log else ""
    return f"{parameter.low:g} to {parameter.high:g}{step}{scale}"


def estimate_cost(plan: Plan, population: Population | None) -> Cost | None:
    """What the missing generations cost, from one measured step of each kind; None where none are known."""
    request = plan.request
    known = {g.key: g for planned in request.chains for g in planned.chain.generations}
    for key in {key for generation in plan.missing for key in generation.teachers} - known.keys():
        assert population is not None
        known[key] = population[key].generation
    return estimate(
        plan.missing,
        known,
        [planned.chain.keys for planned in request.chains],
        num_classes=request.dataset.num_classes,
        in_channels=request.dataset.in_channels,
        sample_shape=request.dataset.sample_shape,
        training_samples=request.sizes.train,
        recompute=request.recompute,
    )


def print_cost(cost: Cost, plan: Plan, concurrent: int | None, console: Console) -> None:
    """Print what is to be expected."""
    workers = plan.request.context.recipe.workers
    groups = max(1, min(len(plan.open_chains), concurrent or cost.devices, cost.devices // workers))
    console.print(
        f"About {cost.multiply_accumulates:.2g} multiply-accumulates and {cost.seconds / 3600:.2g} device-hours "
        f"({cost.device}), with up to {cost.peak_bytes / 2**30:.1f} GiB for one worker, as one step of each kind "
        f"takes; {format_duration(cost.wall_time(groups * workers))} with {pluralised(groups, 'chain')} at once, and "
        "10 s or more to start each chain",
        highlight=False,
        soft_wrap=not console.is_terminal,
    )
    if not cost.fits(groups * workers):
        console.print(
            f"There are {cost.memory_bytes / 2**30:.1f} GiB here, less than that takes: fewer --concurrent chains, a "
            "smaller --batch-size or --recompute take less",
            style="yellow",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )


def group_by_row(chains: Sequence[PlannedChain]) -> dict[str, list[PlannedChain]]:
    """Chains grouped by their row, in order of appearance."""
    groups: dict[str, list[PlannedChain]] = {}
    for planned in chains:
        groups.setdefault(planned.position.row, []).append(planned)
    return groups


def row_parameters(request: SearchSpec, row: Sequence[PlannedChain]) -> int:
    """Parameters of a row's network on the search's data."""
    decoded, place = request.dataset, row[0].position
    network = place.network or place.row
    for generation in (generation for planned in row for generation in planned.chain.generations):
        if generation.network == network:
            return registry.parse(network, generation.network_arguments or None).parameters(
                decoded.num_classes, decoded.in_channels
            )
    return registry.parse(network).parameters(decoded.num_classes, decoded.in_channels)


def pluralised(number: int, noun: str) -> str:
    """1 chain, 2 chains."""
    return f"{number} {noun}{'s' * (number != 1)}"


def format_count(number: int) -> str:
    """7.494 M, 20.4 k or 202."""
    if number >= 100_000:
        return f"{number / 1e6:.3f} M"
    return f"{number / 1e3:.1f} k" if number >= 1000 else str(number)


def as_json(plan: Plan, cost: Cost | None, misses: Sequence[str]) -> dict[str, object]:
    """The plan as JSON values; seconds of a device, bytes of one worker."""
    policy = plan.request.strategy
    return {
        "sampler": policy.sampler,
        "samples": policy.samples,
        "parameters": parameters_as_json(plan.request.scale.parameters),
        "left_out": list(plan.request.skipped),
        "equal_chains": equal_chains.equal_chains_sentence(plan.request.chains),
        "cost": None if cost is None else asdict(cost),
        "near_misses": list(misses),
        "regime": plan.request.setting_description,
        "chains": [
            {
                "configuration": dict(planned.configuration),
                "seed": planned.seed,
                "network": planned.chain.network,
                "parameters": row_parameters(plan.request, [planned]),
                "keys": list(planned.chain.keys),
            }
            for planned in plan.request.chains
        ],
        "distinct_generations": plan.distinct,
        "to_train": len(plan.missing),
        "teachers_taken": reused_teachers(plan),
        "already_there": len(plan.published),
    }
