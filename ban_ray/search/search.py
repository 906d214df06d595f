"""One search, from its options to its printed result."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from ban_ray.cli.console import Console, confirm
from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.population.initial_weights import stored
from ban_ray.population.layout import SEARCHES
from ban_ray.runtime.trial import JobRunner
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan import equal_chains
from ban_ray.search.plan.cost import Cost
from ban_ray.search.plan.near_misses import describe_near_misses
from ban_ray.search.plan.plan import Plan, estimate_plan_cost, make_plan
from ban_ray.search.plan.printing import plan_as_json, print_cost, print_plan, print_slow_precision
from ban_ray.search.pretrained import with_initial_weights
from ban_ray.search.results import render
from ban_ray.search.run.execute import SearchPaths, execute
from ban_ray.search.study import records
from ban_ray.search.study.best import find_best
from ban_ray.search.teachers.chosen_once import recorded_teachers, select_teachers
from ban_ray.storage.opening import absolute, find_storage, is_url
from ban_ray.tasks.cache import cache_root


@dataclass(frozen=True)
class SearchResult:
    """A search that has ended; `failures` holds chains and a sentence on each failure."""

    spec: SearchSpec
    population: Population
    name: str
    failures: list[tuple[PlannedChain, str]]


def search(options: SearchOptions, runner: JobRunner | None = None) -> SearchResult | None:
    """Run a search; returns None if only its plan was requested.

    Args:
        runner: trains the generations of a chain instead of Ray's workers, as simulations do.

    Raises:
        UserError: an option cannot be used; nothing was started.
        KeyboardInterrupt: interrupted; claims are released, published generations stay.
    """
    console = Console(stderr=options.as_json)
    records.check_name(options.name)
    spec = resolve(options)
    url = absolute(options.storage)
    if options.working_dir is not None and not Path(options.working_dir).is_dir():
        raise UserError(f"--working-dir {options.working_dir!r} is not a folder")
    if options.keep_unfinished and not spec.strategy.stopping:
        raise UserError("--keep-unfinished has no effect without --stopping: no chain would be stopped")
    initial_weights = None
    if options.pretrained is not None:
        spec, initial_weights = with_initial_weights(spec, options.pretrained, _existing_population(url))
    console.say(f"{spec.space.title}, scale {options.scale}", style="bold")
    console.say(spec.data_and_protocol)
    if initial_weights is not None:
        console.say(f"Each generation starts from {initial_weights.description}")
    if options.plan_only:
        _print_plan(options, spec, url, console)
        return None

    storage = open_storage(url)
    population = Population(storage)
    with records.locked_name(storage, _local_folder(url), spec, options.name) as name:
        if initial_weights is not None:
            stored.save(storage, initial_weights.sha256, initial_weights.data)
        if spec.teacher_decisions.takes_members:
            spec = _with_teachers(spec, population, name, console)
        plan = make_plan(spec, population)
        print_plan(plan, console)
        print_slow_precision(plan, population, console)
        if options.scale == "paper" and not options.yes and (plan.incomplete_chains or spec.is_sampled):
            _print_cost(plan, population, options.concurrent, console)
            confirm(
                "Train these generations?",
                without_terminal="--scale paper trains for GPU-days; without a terminal to ask on, --yes is needed",
                declined="--scale paper was not confirmed; nothing was started",
                stderr=options.as_json,
            )
        paths = SearchPaths(url, _local_folder(url) / name, name)
        executed = execute(plan, population, paths, console, runner)
        spec = replace(spec, chains=executed.state.configurations.chains)
        result = render.summarise(spec, population, executed.failures, name)
        best = find_best(spec, executed.state.study)
    equal = equal_chains.equal_chains_sentence(spec.chains)
    render.print_summary(result, console)
    if best is not None:
        render.print_best(best, console, even_if_in_table=spec.is_sampled)
    if equal and spec.is_sampled:
        # The plan of a grid has said so.
        console.say(equal, style="yellow")
    render.print_ended_early(executed.ended_early, executed.skip_reasons, console)
    from analysis.report import write_report

    report = write_report(result.population_data, name)
    console.say(f"report {report}", wrap=False)
    console.say(f"search {name} in {url}", wrap=False)
    if options.as_json:
        _print_json(
            {
                "search": name,
                "storage": url,
                "report": report,
                "trained": executed.num_newly_published,
                "equal_chains": equal,
                **render.summary_as_json(result),
                **render.best_as_json(best, executed.ended_early, executed.skip_reasons),
            }
        )
    return SearchResult(spec, population, name, executed.failures)


def _with_teachers(
    spec: SearchSpec, population: Population, name: str, console: Console, *, write: bool = True
) -> SearchSpec:
    """The search with the teachers that it has recorded, or has chosen now; those that are chosen later are not known.

    Args:
        write: whether what is chosen now is recorded.
    """
    if spec.teacher_decisions.is_per_configuration and (chosen := recorded_teachers(population, name)) is None:
        records.load_decisions(spec, population, name)
        return spec.with_chains_rebuilt()
    task, num_classes = spec.context.task, spec.dataset.num_classes
    chosen = select_teachers(
        population, name, spec.teacher_decisions.policy, task, num_classes=num_classes, write=write
    )
    console.say(f"Teacher: {chosen.description}")
    return spec.with_teachers(chosen)


def _local_folder(url: str) -> Path:
    """The folder for what must be local files of a search: its lock, its study and Ray's files.

    It is beside the population or, if that is in an object store, in this machine's cache. Everything in it can be made
    again from the population.
    """
    if is_url(url):
        return cache_root() / SEARCHES / hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(url) / SEARCHES


def _existing_population(url: str) -> Population | None:
    """The population of a storage; None where there is no such folder yet."""
    return Population(find_storage(url)) if is_url(url) or Path(url).is_dir() else None


def _print_plan(options: SearchOptions, spec: SearchSpec, url: str, console: Console) -> None:
    """Print what would be trained, without writing anything."""
    population = _existing_population(url)
    if spec.teacher_decisions.takes_members and not (population is None and spec.teacher_decisions.searched):
        if population is None:
            raise UserError(f"--teacher {options.teacher!r}: there is no population at {url}")
        spec = _with_teachers(
            spec, population, records.resolve_name(population.storage, spec, options.name), console, write=False
        )
    plan = make_plan(spec, population)
    print_plan(plan, console)
    print_slow_precision(plan, population, console)
    cost, near_miss_phrases = _print_cost(plan, population, options.concurrent, console)
    if options.as_json:
        _print_json(plan_as_json(plan, cost, near_miss_phrases))


def _print_cost(
    plan: Plan, population: Population | None, max_concurrent_chains: int | None, console: Console
) -> tuple[Cost | None, list[str]]:
    """Print and return the cost of the missing generations, and phrases on members that are nearly the same."""
    near_miss_phrases = describe_near_misses(plan.missing_generations, population) if population is not None else []
    for phrase in near_miss_phrases:
        console.say(phrase)
    cost = estimate_plan_cost(plan, population)
    if cost is not None:
        print_cost(cost, plan, max_concurrent_chains, console)
    if plan.spec.is_sampled:
        console.say("The cost depends on what is sampled; --max-generations-trained and --time-budget limit it")
    return cost, near_miss_phrases


def _print_json(value: object) -> None:
    print(json.dumps(value), flush=True)
