"""One search from its choices to its summary."""

import hashlib
import json
import os
import secrets
import shutil
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ban_ray.chain import Trial
from ban_ray.cluster.metrics import Metrics
from ban_ray.cluster.nodes import require_shared
from ban_ray.errors import UserError
from ban_ray.population import Population, claims, failures, open_storage
from ban_ray.population.storage import absolute, find_storage, is_url
from ban_ray.search import plan as plans
from ban_ray.search import record, show
from ban_ray.search.cost import Cost
from ban_ray.search.ledger import Ledger
from ban_ray.search.near_misses import near_misses
from ban_ray.search.progress import follow
from ban_ray.search.request import Options, Planned, Request, resolve
from ban_ray.search.room import require_room
from ban_ray.search.study import Study, grid
from ban_ray.search.summary import Summary, summarise
from ban_ray.search.teachers import choose
from ban_ray.tasks.decoded import cache_root

WIDE = 160


@dataclass(frozen=True)
class Choices(Options):
    """Everything that was typed."""

    plan_only: bool = False
    yes: bool = False
    concurrent: int | None = None
    cpus_per_worker: int = 1
    gpus_per_worker: float | None = None
    storage: str = "./ban_runs"
    name: str | None = None
    address: str | None = None
    retry_failed: bool = False
    as_json: bool = False
    command: str = ""


@dataclass(frozen=True)
class Finished:
    """A search that has ended; `failed` holds chains and the sentences of their failures."""

    request: Request
    population: Population
    name: str
    summary: Summary
    failed: list[tuple[Planned, str]]


def search(choices: Choices) -> Finished | None:
    """Run a search; None where only its plan was asked for.

    Raises:
        UserError: a choice cannot be used; nothing was started.
        KeyboardInterrupt: interrupted; claims are released, what was published stays.
    """
    console = _console(choices.as_json)
    request = resolve(choices)
    url = absolute(choices.storage)
    console.print(f"{request.space.title}, scale {choices.scale}", style="bold", highlight=False)
    console.print(request.regime, highlight=False, markup=False, soft_wrap=True)
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
        if not plan.open:
            console.print("Nothing to train: every generation is in the population.", highlight=False)
            _ledger(plan, population, url, name)
            failed: list[tuple[Planned, str]] = []
        else:
            if choices.scale == "paper":
                _expect(plan, population, console)
                if not choices.yes:
                    _confirm(console)
            failed = _train(choices, plan, population, url, name, console)
        result = summarise(request, population, failed)
    show.show(result, console)
    from analysis.report import write_report

    report = write_report(url, name)
    console.print(f"report {report}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"search {name} in {url}", highlight=False, markup=False, soft_wrap=True)
    if choices.as_json:
        trained = sum(generation.key in population for generation in plan.missing)
        _emit({"search": name, "storage": url, "report": report, "trained": trained, **show.as_json(result)})
    return Finished(request, population, name, result, failed)


def _taught(request: Request, population: Population, name: str, console: Console, *, note: bool = True) -> Request:
    chosen = choose(population, name, request.teacher, request.setting.task, note=note)
    console.print(f"Teacher: {chosen.how}", highlight=False, markup=False, soft_wrap=True)
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
    cost, misses = _expect(plan, found, console)
    if choices.as_json:
        _emit(plans.as_json(plan, cost, misses))


def _expect(plan: plans.Plan, population: Population | None, console: Console) -> tuple[Cost | None, list[str]]:
    """Print and return the cost of what is missing, and members that nearly serve."""
    misses = near_misses(plan.missing, population) if population is not None else []
    for phrase in misses:
        console.print(phrase, highlight=False)
    cost = plans.estimated(plan)
    if cost is not None:
        plans.show_cost(cost, os.cpu_count() or 1, console)
    return cost, misses


def _ledger(plan: plans.Plan, population: Population, url: str, name: str) -> Ledger:
    """Write the search down and open its study, with the configurations told that are finished already."""
    request = plan.request
    record.write(population.storage, request, name)
    study = Study(
        _side_folder(url) / name / "study.journal",
        f"{name}, {request.generations} generations, seeds {','.join(map(str, request.seeds))}",
        grid(request.scale.configurations),
    )
    ledger = Ledger(study, population, request.chains)
    for planned in request.chains:
        if planned not in plan.open:
            ledger.end(planned)
    return ledger


def _train(
    choices: Choices, plan: plans.Plan, population: Population, url: str, name: str, console: Console
) -> list[tuple[Planned, str]]:
    """Train what is missing; returns the chains that failed."""
    from ban_ray import cluster

    request = plan.request
    execution = f"{name}-{secrets.token_hex(4)}"
    folder = _side_folder(url) / name / "ray"
    connected = cluster.connect(choices.address, namespace="ban_ray")
    try:
        recipe = request.setting.recipe
        group = cluster.Group.on(connected, recipe, choices.cpus_per_worker, choices.gpus_per_worker)
        fits = group.fitting(connected)
        concurrent = min(choices.concurrent or fits, len(plan.open))
        require_room(url, plan, concurrent)
        require_shared(url)
        console.print(
            f"Ray: {connected.cpus:g} CPUs, {connected.gpus:g} GPUs; {plans.counted(concurrent, 'chain')} at once; "
            f"dashboard {connected.dashboard or 'off'} (token: ray get-auth-token)",
            highlight=False,
            soft_wrap=True,
        )
        # Ray reads its environment when it is imported, so this comes after the connection.
        from ban_ray.search.run import Desk, run

        if choices.retry_failed:
            for generation in plan.missing:
                failures.forget(population.storage, generation.key)
        # What Tune and Train keep is never read again: the population remembers all that matters.
        shutil.rmtree(folder, ignore_errors=True)
        ledger = _ledger(plan, population, url, name)
        view = follow(console, plan.open, len(plan.missing))
        metrics = Metrics(name, taken=len(plan.there))

        def reported(planned: Planned, report: dict[str, Any]) -> None:
            view.reported(planned, report)
            networks = tuple(generation.network for generation in planned.chain.generations)
            metrics.reported(planned.title, networks, report)

        def ended(planned: Planned, failure: str) -> None:
            ledger.end(planned, failure)
            view.ended(planned, failure)
            metrics.ended(planned.title, failure)

        def make_trial(planned: Planned) -> Trial:
            ledger.begin(planned)
            view.started(planned)
            return Trial(
                chain=planned.chain,
                source=request.source,
                storage=url,
                folder=f"{folder}/{execution}",
                search=execution,
                title=planned.slug,
                cpus_per_worker=group.cpus_per_worker,
                gpus_per_worker=group.gpus_per_worker,
                command=choices.command,
                teacher_told=request.teacher_told,
            )

        desk = Desk(plan.open, make_trial, reported, ended)
        # Ray prints to stdout whatever its own processes say, and there --json promises one object.
        with redirect_stdout(sys.stderr) if choices.as_json else nullcontext(), view:
            run(desk, concurrent=concurrent, folder=str(folder), name=execution)
    finally:
        cluster.disconnect()
        keys = [generation.key for generation in plan.missing]
        claims.release_of_runs(population.storage, keys, lambda run: run.startswith(f"{execution}-"))
    shutil.rmtree(folder, ignore_errors=True)
    return desk.failed


def _confirm(console: Console) -> None:
    """Ask on the terminal.

    Raises:
        UserError: the answer is not yes, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise UserError("--scale paper trains for GPU-days; without a terminal to ask on, --yes is needed")
    console.print("Train these generations? Type yes to go on:", end=" ")
    if input().strip().lower() != "yes":
        raise UserError("--scale paper was not confirmed; nothing was started")


def _emit(value: object) -> None:
    print(json.dumps(value), flush=True)
