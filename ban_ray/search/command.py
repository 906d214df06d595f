"""One search from its choices to its summary."""

import hashlib
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from ban_ray.chain import Run
from ban_ray.confirm import confirm
from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.population.storage import absolute, find_storage, is_url
from ban_ray.search import equal_chains, front, record, show, show_front
from ban_ray.search import plan as plans
from ban_ray.search.choices import Choices
from ban_ray.search.cost import Cost
from ban_ray.search.execute import Place, execute
from ban_ray.search.near_misses import near_misses
from ban_ray.search.request import Planned, Request, resolve
from ban_ray.search.summary import summarise
from ban_ray.search.teachers import choose
from ban_ray.tasks.decoded import cache_root

WIDE = 160


@dataclass(frozen=True)
class Finished:
    """A search that has ended; `failed` holds chains and the sentences of their failures."""

    request: Request
    population: Population
    name: str
    failed: list[tuple[Planned, str]]


def search(choices: Choices, train: Run | None = None) -> Finished | None:
    """Run a search; None where only its plan was asked for.

    Args:
        train: stands in for the training of a chain's generations, as in `ban_ray.chain.Run`; by default they are
            trained.

    Raises:
        UserError: a choice cannot be used; nothing was started.
        KeyboardInterrupt: interrupted; claims are released, what was published stays.
    """
    console = _console(choices.as_json)
    _check(choices)
    request = resolve(choices)
    url = absolute(choices.storage)
    if choices.working_dir is not None and not Path(choices.working_dir).is_dir():
        raise UserError(f"--working-dir {choices.working_dir!r} is no folder")
    if choices.keep_unfinished and not request.policy.stopping:
        raise UserError("--keep-unfinished is of no use without --stopping: no chain would be stopped")
    console.print(f"{request.space.title}, scale {choices.scale}", style="bold", highlight=False)
    console.print(request.regime, highlight=False, markup=False, soft_wrap=not console.is_terminal)
    if choices.plan_only:
        _plan(choices, request, url, console)
        return None

    storage = open_storage(url)
    population = Population(storage)
    with record.held(storage, _side_folder(url), request, choices.name) as name:
        if request.teacher.kind != "parent":
            request = _taught(request, population, name, console)
        plan = plans.make(request, population)
        plans.show(plan, console)
        if choices.scale == "paper" and (plan.open or request.sampled):
            _expect(plan, population, choices.concurrent, console)
            if not choices.yes:
                confirm(
                    "Train these generations?",
                    without_terminal="--scale paper trains for GPU-days; without a terminal to ask on, --yes is needed",
                    declined="--scale paper was not confirmed; nothing was started",
                    stderr=choices.as_json,
                )
        place = Place(url, _side_folder(url) / name, name)
        executed = execute(plan, choices, population, place, console, train)
        request = replace(request, chains=executed.chains)
        early = executed.books.ledger.stopped
        result = summarise(request, population, executed.failed)
        best = front.find(request, executed.books.study)
    equal = equal_chains.sentence(request.chains)
    show.show(result, console)
    if best is not None:
        show_front.show(best, console, always=request.sampled)
    if equal and request.sampled:
        # Of a grid its plan has said so.
        console.print(equal, style="yellow", highlight=False, markup=False, soft_wrap=not console.is_terminal)
    show_front.show_early(early, executed.left_out, console)
    from analysis.report import write_report

    report = write_report(url, name)
    console.print(f"report {report}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"search {name} in {url}", highlight=False, markup=False, soft_wrap=True)
    if choices.as_json:
        _emit(
            {
                "search": name,
                "storage": url,
                "report": report,
                "trained": executed.trained,
                "equal_chains": equal,
                **show.as_json(result),
                **show_front.as_json(best, early, executed.left_out),
            }
        )
    return Finished(request, population, name, executed.failed)


def _check(choices: Choices) -> None:
    """What may be wrong with a choice whatever the space: the command line's own types refuse it, a call's do not.

    Raises:
        UserError: the first such choice.
    """
    record.check_name(choices.name)
    for option, value in (("--cpus-per-worker", choices.cpus_per_worker), ("--concurrent", choices.concurrent)):
        if value is not None and value < 1:
            raise UserError(f"{option} {value}: at least 1 is needed")
    gpus = choices.gpus_per_worker
    if gpus is not None and not 0 <= gpus < math.inf:
        raise UserError(f"--gpus-per-worker {gpus}: 0, a part of one such as 0.25, or whole ones are needed")


def _taught(request: Request, population: Population, name: str, console: Console, *, note: bool = True) -> Request:
    chosen = choose(population, name, request.teacher, request.setting.task, note=note)
    console.print(f"Teacher: {chosen.how}", highlight=False, markup=False, soft_wrap=not console.is_terminal)
    return request.taught(chosen)


def _console(stderr: bool) -> Console:
    """As wide as the terminal; where the output goes to a file, wide enough for every table."""
    console = Console(stderr=stderr)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(stderr=stderr, width=WIDE)


def _side_folder(url: str) -> Path:
    """Where a search keeps what must be files: its lock, its study and Ray's own; beside the population, or, where
    that is in an object store, in this machine's cache. All of it can be made again from the population."""
    if is_url(url):
        return cache_root() / "searches" / hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(url) / "searches"


def _plan(choices: Choices, request: Request, url: str, console: Console) -> None:
    """Print what would be trained; writes nothing."""
    there = is_url(url) or Path(url).is_dir()
    found = Population(find_storage(url)) if there else None
    if request.teacher.kind != "parent":
        if found is None:
            raise UserError(f"--teacher {choices.teacher!r}: there is no population at {url} to take it from")
        request = _taught(request, found, record.settle(found.storage, request, choices.name), console, note=False)
    plan = plans.make(request, found)
    plans.show(plan, console)
    cost, misses = _expect(plan, found, choices.concurrent, console)
    if choices.as_json:
        _emit(plans.as_json(plan, cost, misses))


def _expect(
    plan: plans.Plan, population: Population | None, concurrent: int | None, console: Console
) -> tuple[Cost | None, list[str]]:
    """Print and return the cost of what is missing, and members that nearly serve."""
    misses = near_misses(plan.missing, population) if population is not None else []
    for phrase in misses:
        console.print(phrase, highlight=False)
    cost = plans.estimated(plan, population)
    if cost is not None:
        plans.show_cost(cost, plan, concurrent, console)
    if plan.request.sampled:
        console.print(
            "What it costs depends on what is sampled; --max-generations-trained and --time-budget limit it",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
    return cost, misses


def _emit(value: object) -> None:
    print(json.dumps(value), flush=True)
