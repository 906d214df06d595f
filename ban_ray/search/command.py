"""One search from its choices to its summary."""

import json
import secrets
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ban_ray.chain import Trial
from ban_ray.errors import UserError
from ban_ray.population import Population, claims, failures, open_storage
from ban_ray.search import plan as plans
from ban_ray.search import record, summary
from ban_ray.search.ledger import Ledger
from ban_ray.search.progress import Lines
from ban_ray.search.request import Options, Planned, absolute_storage, resolve
from ban_ray.search.study import Study, grid


@dataclass(frozen=True)
class Choices(Options):
    """Everything that was typed."""

    plan_only: bool = False
    yes: bool = False
    concurrent: int | None = None
    storage: str = "./ban_runs"
    name: str | None = None
    address: str | None = None
    retry_failed: bool = False
    as_json: bool = False
    command: str = ""


def search(choices: Choices) -> bool:
    """Run a search; returns whether a chain failed.

    Raises:
        UserError: a choice cannot be used; nothing was started.
        KeyboardInterrupt: interrupted; claims are released, what was published stays.
    """
    console = Console(stderr=choices.as_json, soft_wrap=False)
    request = resolve(choices)
    url = absolute_storage(choices.storage)
    console.print(f"{request.space.title}, scale {choices.scale}", style="bold", highlight=False)
    console.print(request.regime, highlight=False, markup=False, soft_wrap=True)
    if choices.plan_only:
        found = Population(open_storage(url)) if Path(url).is_dir() else None
        plan = plans.make(request, found)
        plans.show(plan, console)
        if choices.as_json:
            _emit(plans.as_json(plan))
        return False

    storage = open_storage(url)
    population = Population(storage)
    name = record.settle(storage, request, choices.name)
    folder = f"{url}/searches/{name}"
    with record.locked(folder, name):
        plan = plans.make(request, population)
        plans.show(plan, console)
        if plan.missing and choices.scale == "paper" and not choices.yes:
            _confirm(console)
        record.write(storage, request, name)
        if choices.retry_failed:
            for generation in plan.missing:
                failures.forget(storage, generation.key)
        seeds = ",".join(map(str, request.seeds))
        study = Study(
            Path(folder) / "study.journal",
            f"{name}, {request.generations} generations, seeds {seeds}",
            grid(request.scale.configurations),
        )
        ledger = Ledger(study, population, request.chains)
        for planned in request.chains:
            if planned not in plan.open:
                ledger.end(planned)
        failed: list[tuple[Planned, str]] = []
        if plan.open:
            failed = _train(choices, plan, population, ledger, url, name, console)
        else:
            console.print("Nothing to train: every generation is in the population.", highlight=False)
        result = summary.summarise(request, population, failed)
    summary.show(result, console)
    console.print(f"search {name} in {url}", highlight=False, markup=False, soft_wrap=True)
    if choices.as_json:
        trained = sum(generation.key in population for generation in plan.missing)
        _emit({"search": name, "storage": url, "trained": trained, **summary.as_json(result)})
    return bool(failed)


def _train(
    choices: Choices,
    plan: plans.Plan,
    population: Population,
    ledger: Ledger,
    url: str,
    name: str,
    console: Console,
) -> list[tuple[Planned, str]]:
    from ban_ray import cluster

    request = plan.request
    execution = f"{name}-{secrets.token_hex(4)}"
    connected = cluster.connect(choices.address, namespace="ban_ray")
    # Ray reads its environment when it is imported, so this comes after the connection.
    from ban_ray.search.run import Desk, run

    try:
        group = cluster.Group(request.setting.recipe.workers)
        fits = group.fitting(connected)
        concurrent = min(choices.concurrent or fits, len(plan.open))
        console.print(
            f"Ray: {connected.cpus:g} CPUs, {connected.gpus:g} GPUs; {concurrent} chains at once; "
            f"dashboard {connected.dashboard or 'off'} (token: ray get-auth-token)",
            highlight=False,
            soft_wrap=True,
        )
        lines = Lines(console, plan.open, len(plan.missing))

        def ended(planned: Planned, failure: str) -> None:
            ledger.end(planned, failure)
            lines.ended(planned, failure)

        def make_trial(planned: Planned) -> Trial:
            ledger.begin(planned)
            return Trial(
                chain=planned.chain,
                source=request.source,
                storage=url,
                folder=f"{url}/searches/{name}/ray",
                search=execution,
                title=planned.title.replace(" ", "_"),
                command=choices.command,
            )

        desk = Desk(plan.open, make_trial, lines.reported, ended)
        # Ray prints to stdout whatever its own processes say, and there --json promises one object.
        with redirect_stdout(sys.stderr) if choices.as_json else nullcontext():
            run(desk, concurrent=concurrent, folder=f"{url}/searches/{name}/ray", name=execution)
    finally:
        cluster.disconnect()
        keys = [generation.key for generation in plan.missing]
        claims.release_of_runs(population.storage, keys, lambda run: run.startswith(f"{execution}-"))
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
