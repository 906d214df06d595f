"""Carries a search out: everything between its plan and its summary."""

import secrets
import shutil
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ban_ray.chain import Run, Trial
from ban_ray.cluster.metrics import Metrics
from ban_ray.cluster.nodes import require_shared
from ban_ray.population import Population, claims, failures
from ban_ray.population.identity import identity
from ban_ray.search import plan as plans
from ban_ray.search.agenda import Agenda
from ban_ray.search.books import Books, open_books
from ban_ray.search.choices import Choices
from ban_ray.search.endings import Ending
from ban_ray.search.leftovers import Leftovers
from ban_ray.search.progress import follow
from ban_ray.search.request import Planned, Request
from ban_ray.search.room import require_room


@dataclass(frozen=True)
class Place:
    """Where a search works: the population's URL, its own folder for files, and its name."""

    url: str
    folder: Path
    name: str


@dataclass(frozen=True)
class Executed:
    """What came of a search.

    Attributes:
        chains: all of them, those of sampled configurations included.
        trained: generations that were missing and are members now.
        left_out: sentences about what a budget or a limit kept from being trained.
    """

    books: Books
    chains: tuple[Planned, ...]
    failed: list[tuple[Planned, str]]
    trained: int
    left_out: tuple[str, ...]


def execute(
    plan: plans.Plan,
    choices: Choices,
    population: Population,
    place: Place,
    console: Console,
    train: Run | None = None,
) -> Executed:
    """Train what is missing.

    Args:
        plan: of a grid whole, of a sampled search without chains.
        train: stands in for the training of a chain's generations.

    Raises:
        UserError: the cluster does not answer or cannot hold a worker group.
        KeyboardInterrupt: interrupted; what was published stays.
    """
    books = None
    request = plan.request
    if request.sampled or not plan.open:
        books = open_books(request, population, place.folder, place.name)
        agenda = _agenda(request, population, books)
        if books.sampling is not None and books.sampling.found:
            console.print(
                f"{books.sampling.found} finished configurations of the population enter the study", highlight=False
            )
        if not agenda.fill():
            console.print("Nothing to train: every generation is in the population.", highlight=False)
            return _executed(request, books, agenda, [], 0, ())

    from ban_ray import cluster

    execution = f"{place.name}-{secrets.token_hex(4)}"
    folder = place.folder / "ray"
    missing: set[str] = set()
    leftovers = Leftovers(population, keep=choices.keep_unfinished)
    connected = cluster.connect(choices.address, namespace="ban_ray", working_dir=choices.working_dir)
    try:
        recipe = request.setting.recipe
        group = cluster.Group.on(connected, recipe, choices.cpus_per_worker, choices.gpus_per_worker)
        fitting = group.fitting(connected)
        concurrent = choices.concurrent or fitting
        if connected.started:
            # Nothing makes room here; elsewhere groups that wait are what an autoscaler sees.
            concurrent = min(concurrent, fitting)
        if plan.open:
            concurrent = min(concurrent, len(plan.open))
            require_room(place.url, plan, concurrent)
        require_shared(place.url)
        console.print(
            f"Ray: {connected.cpus:g} CPUs, {connected.gpus:g} GPUs; {plans.counted(concurrent, 'chain')} at once; "
            f"dashboard {connected.dashboard or 'off'} (token: ray get-auth-token)",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
        # Ray reads its environment when it is imported, so this comes after the connection.
        from ban_ray.search.desk import Desk
        from ban_ray.search.run import run

        # What Tune and Train keep is never read again: the population remembers all that matters.
        shutil.rmtree(folder, ignore_errors=True)
        if books is None:
            books = open_books(request, population, place.folder, place.name)
            agenda = _agenda(request, population, books)
        ledger = books.ledger
        seen = identity(population.storage)
        view = follow(console, books.open, _at_most(request, population, books, agenda))
        metrics = Metrics(place.name, taken=plan.there)
        runs: dict[int, str] = {}

        def reported(planned: Planned, record: dict[str, Any]) -> None:
            view.reported(planned, record)
            networks = tuple(generation.network for generation in planned.chain.generations)
            metrics.reported(planned.title, networks, record, planned.metric)

        def make_trial(planned: Planned, number: int) -> Trial:
            absent = [key for key in planned.chain.keys if key not in population]
            missing.update(absent)
            if choices.retry_failed:
                for key in absent:
                    failures.forget(population.storage, key)
            ledger.begin(planned)
            view.started(planned)
            for teacher in planned.chain.generations[0].teachers[-1:]:
                if (member := population.get(teacher)) is not None:
                    metrics.taught(planned.title, planned.metric.of(member, "held_out"))
            trial = Trial(
                chain=planned.chain,
                source=request.source,
                storage=place.url,
                identity=seen,
                folder=f"{folder}/{execution}",
                search=execution,
                number=number,
                title=planned.slug,
                cpus_per_worker=group.cpus_per_worker,
                gpus_per_worker=group.gpus_per_worker,
                command=choices.command,
                teacher_told=request.teacher_told,
                teacher_cache_bytes=request.teacher_cache_bytes,
                recompute=request.recompute,
            )
            runs[id(planned)] = trial.runs
            return trial

        def ended(planned: Planned, ending: Ending) -> None:
            ledger.end(planned, ending)
            view.ended(planned, ending)
            metrics.ended(planned.title, ending.sentence if ending.kind == "failed" else "")
            if ending.kind in ("stopped", "saturated") and id(planned) in runs:
                leftovers.add(planned, runs[id(planned)])
            leftovers.sweep()

        desk = Desk(agenda, books.judge, make_trial, reported, ended)
        agenda.start()
        # Ray prints to stdout whatever its own processes say, and there --json promises one object.
        with redirect_stdout(sys.stderr) if choices.as_json else nullcontext(), view:
            # A grid's open chains may all have been stopped earlier.
            if agenda.fill():
                run(
                    desk,
                    concurrent=concurrent,
                    folder=str(folder),
                    name=execution,
                    train=train,
                )
                desk.close()
    finally:
        cluster.disconnect()
        claims.release_of_runs(population.storage, sorted(missing), lambda run: run.startswith(f"{execution}-"))
        leftovers.sweep(older_s=0)
    ledger.interrupt()
    shutil.rmtree(folder, ignore_errors=True)
    interrupted: tuple[str, ...] = ()
    if desk.interrupted:
        interrupted = (
            f"--time-budget is used up: {len(desk.interrupted)} chains were stopped in training and go on from their "
            "newest checkpoint when the command is repeated",
        )
    trained = sum(key in population for key in missing)
    return _executed(request, books, agenda, desk.failed, trained, interrupted)


def _agenda(request: Request, population: Population, books: Books) -> Agenda:
    policy = request.policy
    return Agenda(
        books.open,
        books.sampling.propose if books.sampling else None,
        missing=lambda planned: sum(key not in population for key in planned.chain.keys),
        max_generations=policy.max_generations_trained,
        time_budget_s=policy.time_budget_s,
    )


def _at_most(request: Request, population: Population, books: Books, agenda: Agenda) -> int:
    """Generations that may be trained; of a sampled search an upper bound."""
    if books.sampling is None:
        return len({key for planned in books.open for key in planned.chain.keys if key not in population})
    return (agenda.waiting + books.sampling.left * len(request.seeds)) * (request.generations + 1)


def _executed(
    request: Request,
    books: Books,
    agenda: Agenda,
    failed: list[tuple[Planned, str]],
    trained: int,
    interrupted: tuple[str, ...],
) -> Executed:
    sampled = books.sampling.left_out if books.sampling else []
    return Executed(
        books=books,
        chains=tuple(books.sampling.chains) if books.sampling else request.chains,
        failed=failed,
        trained=trained,
        left_out=(*request.left_out, *sampled, *agenda.left_out, *interrupted),
    )
