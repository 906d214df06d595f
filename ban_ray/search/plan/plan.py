"""The plan of a search: what is published, what is missing, and what it costs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ban_ray.cli.console import Console
from ban_ray.cli.text import format_bytes, format_count, format_duration, pluralised
from ban_ray.networks import registry
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan import equal_chains
from ban_ray.search.plan.cost import Cost, data_fits_in_memory, estimate_cost
from ban_ray.search.plan.slow_precision import slow_precision_sentence
from ban_ray.search.plan.stored_shapes import check_stored_shapes
from ban_ray.specs import Generation
from ban_ray.specs.parameters import parameters_as_json, values_text
from ban_ray.tasks.cache import cache_root
from ban_ray.tasks.decoded.memory import MAX_DATA_FRACTION


@dataclass(frozen=True)
class Plan:
    """The distinct generations of a search; one that several chains share counts once.

    Attributes:
        published_keys: keys that are members already.
        missing_generations: generations to train, in the order in which they first appear in chains.
        incomplete_chains: chains that miss at least one generation.
    """

    spec: SearchSpec
    published_keys: frozenset[str]
    missing_generations: tuple[Generation, ...]
    incomplete_chains: tuple[PlannedChain, ...]

    @property
    def num_distinct_generations(self) -> int:
        return len(self.published_keys) + len(self.missing_generations)


def make_plan(spec: SearchSpec, population: Population | None) -> Plan:
    """Look every generation up; without a population, all are missing.

    Raises:
        UserError: a member's network is the user's own, and its code builds another one today.
    """
    wanted = spec.distinct_generations
    published = frozenset(key for key in wanted if population is not None and key in population)
    if population is not None:
        check_stored_shapes([wanted[key] for key in wanted if key in published], population, spec.dataset)
    missing = tuple(generation for key, generation in wanted.items() if key not in published)
    incomplete_chains = tuple(planned for planned in spec.chains if not published.issuperset(planned.chain.keys))
    return Plan(spec, published, missing, incomplete_chains)


def print_plan(plan: Plan, console: Console) -> None:
    """Print the plan: a row for each configuration and the totals, or the parameters of a sampled search."""
    spec = plan.spec
    console.say(f"Augmentation: {spec.augmentation}")
    if spec.is_sampled:
        _print_parameters(spec, console)
        return
    console.table(
        ("network", "parameters", "seeds", "to train", "there"),
        [_table_row(plan, row, group) for row, group in group_by_row(spec.chains).items()],
    )
    console.say(
        f"{pluralised(len(spec.chains), 'chain')}, {plan.num_distinct_generations} distinct generations: "
        f"{len(plan.missing_generations)} to train, {len(plan.published_keys)} already there"
    )
    for reason in spec.skip_reasons:
        console.say(reason)
    if equal := equal_chains.equal_chains_sentence(spec.chains):
        console.say(equal, style="yellow")
    warnings = {(str(g.objective), g.objective.loss.warning()) for g in spec.distinct_generations.values()}
    for objective, warning in sorted(pair for pair in warnings if pair[1]):
        console.say(f"Objective {objective}: {warning}", style="yellow")
    if reused := count_reused_teachers(plan):
        networks = ", ".join(f"{network} ({pluralised(number, 'member')})" for network, number in reused.items())
        console.say(f"Teachers taken from the population: {networks}")


def _table_row(plan: Plan, name: str, group: Sequence[PlannedChain]) -> tuple[str, ...]:
    keys = {key for planned in group for key in planned.chain.keys}
    return (
        name,
        format_count(num_row_parameters(plan.spec, group)),
        ",".join(map(str, dict.fromkeys(planned.seed for planned in group))),
        str(len(keys - plan.published_keys)),
        str(len(keys & plan.published_keys)),
    )


def count_reused_teachers(plan: Plan) -> dict[str, int]:
    """Number of members by network that are published already and teach a missing generation."""
    wanted = plan.spec.distinct_generations
    keys = dict.fromkeys(
        key for generation in plan.missing_generations for key in generation.teachers if key in plan.published_keys
    )
    return dict(Counter(wanted[key].network for key in keys))


def _print_parameters(spec: SearchSpec, console: Console) -> None:
    rows = []
    for name, parameter in spec.scale.parameters.items():
        where = " and ".join(f"{other} is {' or '.join(map(str, values))}" for other, values in parameter.when.items())
        rows.append((name, values_text(parameter), where))
    console.table(("parameter", "values", "where"), rows, text=("parameter", "values", "where"))
    strategy = spec.strategy
    samples = strategy.num_samples or 0
    limit = f", networks up to {strategy.max_parameters:,} parameters" if strategy.max_parameters else ""
    console.say(
        f"{samples} configurations by {strategy.sampler}, seeds {','.join(map(str, spec.seeds))}, up to "
        f"{samples * len(spec.seeds) * (spec.num_born_again_generations + 1)} generations{limit}; "
        f"minimised: {', '.join(strategy.target_names)} ({spec.error_description}); "
        f"stopping {'on' if strategy.stopping else 'off'}"
    )


def estimate_plan_cost(plan: Plan, population: Population | None) -> Cost | None:
    """The cost of the missing generations; None if there are none."""
    return estimate_cost(plan.spec, plan.missing_generations, _generations_by_key(plan, population))


def print_slow_precision(plan: Plan, population: Population | None, console: Console) -> None:
    """Print a warning if the first missing generation trains slower in its precision than in fp32 on this machine."""
    if plan.missing_generations:
        generations = _generations_by_key(plan, population)
        if (sentence := slow_precision_sentence(plan.spec, plan.missing_generations[0], generations)) is not None:
            console.say(sentence, style="yellow")


def _generations_by_key(plan: Plan, population: Population | None) -> dict[str, Generation]:
    """The generations of a search and the teachers of missing ones, by key."""
    generations = plan.spec.distinct_generations
    for key in {key for generation in plan.missing_generations for key in generation.teachers} - generations.keys():
        assert population is not None
        generations[key] = population[key].generation
    return generations


def print_cost(cost: Cost, plan: Plan, max_concurrent_chains: int | None, console: Console) -> None:
    """Print the expected cost, and a warning if the memory here is too small."""
    workers = plan.spec.context.recipe.workers
    groups = max(1, min(len(plan.incomplete_chains), max_concurrent_chains or cost.devices, cost.devices // workers))
    console.say(
        f"About {cost.multiply_accumulates:.2g} multiply-accumulates and {cost.seconds / 3600:.2g} device-hours "
        f"({cost.device}), with up to {cost.peak_bytes / 2**30:.1f} GiB for one worker, by one measured step "
        f"of each kind; {format_duration(cost.wall_time_s(groups * workers))} with {pluralised(groups, 'chain')} at "
        "once, and 20 s or more until the first one starts"
    )
    dataset = plan.spec.dataset
    where = f"{format_bytes(dataset.num_bytes)} of decoded data in {cache_root() / dataset.fingerprint}"
    if data_fits_in_memory(plan.spec, cost):
        console.say(f"Each worker holds {where} in memory", wrap=False)
    else:
        console.say(
            f"Each worker reads {where} batch by batch: they would take more than {100 * MAX_DATA_FRACTION:g} % of the "
            "free memory here",
            wrap=False,
        )
    if not cost.fits(groups * workers):
        console.say(
            f"This machine has {cost.memory_bytes / 2**30:.1f} GiB, less than that: fewer --concurrent chains, a "
            "smaller --batch-size or --recompute need less",
            style="yellow",
        )


def group_by_row(chains: Sequence[PlannedChain]) -> dict[str, list[PlannedChain]]:
    """Chains grouped by their row, in order of appearance."""
    groups: dict[str, list[PlannedChain]] = {}
    for planned in chains:
        groups.setdefault(planned.position.row, []).append(planned)
    return groups


def num_row_parameters(spec: SearchSpec, row: Sequence[PlannedChain]) -> int:
    """Number of parameters of a row's network on the search's data."""
    network = row[0].position.network or row[0].position.row
    for generation in (generation for planned in row for generation in planned.chain.generations):
        if generation.network == network:
            return spec.num_parameters_of(generation)
    return registry.parse(network).parameters(spec.dataset.num_classes, spec.dataset.in_channels)


def plan_as_json(plan: Plan, cost: Cost | None, near_miss_phrases: Sequence[str]) -> dict[str, object]:
    """The plan as JSON values.

    ``seconds`` of the cost are device-seconds, summed over all chains, not the duration of the search (see
    `Cost.wall_time_s`). ``peak_bytes`` are those of one worker.
    """
    strategy = plan.spec.strategy
    return {
        "sampler": strategy.sampler,
        "samples": strategy.num_samples,
        "parameters": parameters_as_json(plan.spec.scale.parameters),
        "left_out": list(plan.spec.skip_reasons),
        "equal_chains": equal_chains.equal_chains_sentence(plan.spec.chains),
        "cost": None if cost is None else asdict(cost),
        "near_misses": list(near_miss_phrases),
        "regime": plan.spec.data_and_protocol,
        "chains": [
            {
                "configuration": dict(planned.configuration),
                "seed": planned.seed,
                "network": planned.chain.network,
                "parameters": num_row_parameters(plan.spec, [planned]),
                "keys": list(planned.chain.keys),
            }
            for planned in plan.spec.chains
        ],
        "distinct_generations": plan.num_distinct_generations,
        "to_train": len(plan.missing_generations),
        "teachers_taken": count_reused_teachers(plan),
        "already_there": len(plan.published_keys),
    }
