"""Prints the plan of a search and its cost, in a terminal or as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from ban_ray.cli.console import Console
from ban_ray.cli.text import format_bytes, format_count, format_duration, pluralised
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan import equal_chains
from ban_ray.search.plan.cost import Cost, data_fits_in_memory
from ban_ray.search.plan.plan import Plan, count_reused_teachers, generations_by_key, group_by_row, num_row_parameters
from ban_ray.search.plan.slow_precision import slow_precision_sentence
from ban_ray.search.plan.step_benchmark import CPU_THREAD
from ban_ray.specs.parameters import parameters_as_json, values_text
from ban_ray.tasks.cache import cache_root
from ban_ray.tasks.decoded.memory import MAX_DATA_FRACTION


def print_plan(plan: Plan, console: Console) -> None:
    """Print the plan: a row for each configuration and the totals, or the parameters of a sampled search."""
    spec = plan.spec
    console.say(f"Augmentation: {spec.augmentation}")
    if spec.is_sampled:
        _print_searched_parameters(spec, console)
        return
    if late := sum(planned.is_undecided for planned in spec.chains):
        console.say(
            f"Teachers of {pluralised(late, 'chain')} are chosen by {spec.teacher_decisions.in_words} when trials "
            "begin, among the members there then: their keys are not known yet, and all their generations count as to "
            "train"
        )
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


def _print_searched_parameters(spec: SearchSpec, console: Console) -> None:
    rows = []
    for name, parameter in spec.scale.parameters.items():
        where = " and ".join(f"{other} is {' or '.join(map(str, values))}" for other, values in parameter.when.items())
        rows.append((name, values_text(parameter), where))
    console.table(("parameter", "values", "where"), rows, text=("parameter", "values", "where"))
    if spec.teacher_decisions.is_per_configuration and spec.teacher_decisions.in_words:
        console.say(
            f"Teachers are chosen by {spec.teacher_decisions.in_words} when a trial begins, among the members there "
            "then; a policy that finds nobody is passed over until there is someone"
        )
    strategy = spec.strategy
    samples = strategy.num_samples or 0
    limit = f", networks up to {strategy.max_parameters:,} parameters" if strategy.max_parameters else ""
    console.say(
        f"{samples} configurations by {strategy.sampler}, seeds {','.join(map(str, spec.seeds))}, up to "
        f"{samples * len(spec.seeds) * (spec.num_born_again_generations + 1)} generations{limit}; "
        f"minimised: {', '.join(strategy.target_names)} ({spec.error_description}); "
        f"stopping {'on' if strategy.stopping else 'off'}"
    )


def print_slow_precision(plan: Plan, population: Population | None, console: Console) -> None:
    """Print a warning if the first missing generation trains slower in its precision than in fp32 on this machine."""
    if plan.missing_generations:
        generations = generations_by_key(plan, population)
        if (sentence := slow_precision_sentence(plan.spec, plan.missing_generations[0], generations)) is not None:
            console.say(sentence, style="yellow")


def print_cost(cost: Cost, plan: Plan, max_concurrent_chains: int | None, console: Console) -> None:
    """Print the expected cost, and a warning if the memory here is too small."""
    workers = plan.spec.context.recipe.workers
    groups = max(1, min(len(plan.incomplete_chains), max_concurrent_chains or cost.devices, cost.devices // workers))
    console.say(
        f"Estimated from one measured step per kind of generation: {cost.multiply_accumulates:.2g} "
        f"multiply-accumulates, {cost.seconds / 3600:.2g} device-hours on {cost.device}, up to "
        f"{cost.peak_bytes / 2**30:.1f} GiB per worker; about {format_duration(cost.wall_time_s(groups * workers))} "
        f"with {pluralised(groups, 'chain')} at once, plus at least 20 s of start-up"
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
        memory = f"{cost.memory_bytes / 2**30:.1f} GiB"
        if cost.device == CPU_THREAD:
            text = f"The workers together need more than this machine's {memory}; lower --concurrent or --batch-size"
        else:
            text = f"A worker needs more than the {memory} of its GPU; lower --batch-size"
        console.say(f"{text}, or add --recompute", style="yellow")


def plan_as_json(plan: Plan, cost: Cost | None, near_miss_phrases: Sequence[str]) -> dict[str, object]:
    """The plan as JSON values.

    ``seconds`` of the cost are device-seconds, summed over all chains, not the duration of the search (see
    `Cost.wall_time_s`). ``peak_bytes`` are those of one worker. ``parameters`` of the plan are those that are searched,
    ``parameters`` of a chain are the number of its network's weights.
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
                "keys": [] if planned.is_undecided else list(planned.chain.keys),
            }
            for planned in plan.spec.chains
        ],
        "distinct_generations": plan.num_distinct_generations,
        "to_train": len(plan.missing_generations),
        "teachers_taken": count_reused_teachers(plan),
        "already_there": len(plan.published_keys),
    }
