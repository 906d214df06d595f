"""Carries a search out: everything between its plan and its summary."""

import secrets
import shutil
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ban_ray.cluster.nodes import require_shared
from ban_ray.cluster.prometheus import SearchMetrics
from ban_ray.population import Population, claims, failures
from ban_ray.runtime.trial import TrainFunction, TrialSpec
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import PlannedChain, SearchSpec
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan.disk_space import check_disk_space
from ban_ray.search.results.progress import progress_view
from ban_ray.search.run.cleanup import StoppedChainCleanup
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue
from ban_ray.search.schedule.state import SearchState, open_search_state
from ban_ray.storage.identity import storage_id


@dataclass(frozen=True)
class SearchPaths:
    """Where a search works: the population's URL, its own folder for files, and its name."""

    url: str
    folder: Path
    name: str


@dataclass(frozen=True)
class ExecutionResult:
    """What came of a search.

    Attributes:
        chains: all of them, those of sampled configurations included.
        trained: generations that were missing and are members now.
        left_out: sentences about what a budget or a limit kept from being trained.
    """

    state: SearchState
    chains: tuple[PlannedChain, ...]
    failed: list[tuple[PlannedChain, str]]
    trained: int
    skipped: tuple[str, ...]


def execute(
    plan: plans.Plan,
    options: SearchOptions,
    population: Population,
    paths: SearchPaths,
    console: Console,
    train: TrainFunction | None = None,
) -> ExecutionResult:
    """Train what is missing.

    Args:
        plan: of a grid whole, of a sampled search without chains.
        train: stands in for the training of a chain's generations.

    Raises:
        UserError: the cluster does not answer or cannot hold a worker group.
        KeyboardInterrupt: interrupted; what was published stays.
    """
    state = None
    spec = plan.request
    if spec.is_sampled or not plan.open_chains:
        state = open_search_state(spec, population, paths.folder, paths.name)
        queue = _chain_queue(spec, population, state)
        if state.sampled is not None and state.sampled.found:
            console.print(
                f"{state.sampled.found} finished configurations of the population enter the study", highlight=False
            )
        if not queue.refill():
            console.print("Nothing to train: every generation is in the population.", highlight=False)
            return _result(spec, state, queue, [], 0, ())

    from ban_ray import cluster

    execution = f"{paths.name}-{secrets.token_hex(4)}"
    folder = paths.folder / "ray"
    missing: set[str] = set()
    cleanup = StoppedChainCleanup(population, keep=options.keep_unfinished)
    connected = cluster.connect(options.address, namespace="ban_ray", working_dir=options.working_dir)
    try:
        recipe = spec.context.recipe
        group = cluster.WorkerGroup.for_cluster(connected, recipe, options.cpus_per_worker, options.gpus_per_worker)
        max_concurrent = group.max_concurrent(connected)
        concurrent = options.concurrent or max_concurrent
        if connected.started:
            # Nothing makes room here; elsewhere groups that wait are what an autoscaler sees.
            concurrent = min(concurrent, max_concurrent)
        if plan.open_chains:
            concurrent = min(concurrent, len(plan.open_chains))
            check_disk_space(paths.url, plan, concurrent)
        require_shared(paths.url)
        console.print(
            f"Ray: {connected.cpus:g} CPUs, {connected.gpus:g} GPUs; {plans.pluralised(concurrent, 'chain')} at once; "
            f"dashboard {connected.dashboard or 'off'} (token: ray get-auth-token)",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
        # Ray reads its environment when it is imported, so this comes after the connection.
        from ban_ray.search.run.tune_run import run_trials
        from ban_ray.search.schedule.controller import SearchController

        # What Tune and Train keep is never read again: the population remembers all that matters.
        shutil.rmtree(folder, ignore_errors=True)
        if state is None:
            state = open_search_state(spec, population, paths.folder, paths.name)
            queue = _chain_queue(spec, population, state)
        tracker = state.tracker
        expected_storage_id = storage_id(population.storage)
        view = progress_view(console, state.open_chains, _max_generations_to_train(spec, population, state, queue))
        metrics = SearchMetrics(paths.name, taken=plan.published)
        runs: dict[int, str] = {}

        def reported(planned: PlannedChain, record: dict[str, Any]) -> None:
            view.on_report(planned, record)
            networks = tuple(generation.network for generation in planned.chain.generations)
            metrics.on_report(planned.title, networks, record, planned.metric)

        def make_trial(planned: PlannedChain, number: int) -> TrialSpec:
            absent = [key for key in planned.chain.keys if key not in population]
            missing.update(absent)
            if options.retry_failed:
                for key in absent:
                    failures.forget(population.storage, key)
            tracker.on_chain_start(planned)
            view.on_chain_start(planned)
            for teacher in planned.chain.generations[0].teachers[-1:]:
                if (member := population.get(teacher)) is not None:
                    metrics.set_teacher_error(planned.title, planned.metric.value_of(member, "held_out"))
            trial = TrialSpec(
                chain=planned.chain,
                source=spec.source,
                storage=paths.url,
                storage_id=expected_storage_id,
                folder=f"{folder}/{execution}",
                execution=execution,
                chain_number=number,
                title=planned.slug,
                cpus_per_worker=group.cpus_per_worker,
                gpus_per_worker=group.gpus_per_worker,
                command=options.command,
                teacher_description=spec.teacher_description,
                teacher_cache_bytes=spec.teacher_cache_bytes,
                recompute=spec.recompute,
            )
            runs[id(planned)] = trial.run_prefix
            return trial

        def ended(planned: PlannedChain, ending: ChainOutcome) -> None:
            tracker.on_chain_end(planned, ending)
            view.on_chain_end(planned, ending)
            metrics.on_chain_end(planned.title, ending.message if ending.status == "failed" else "")
            if ending.status in ("stopped", "saturated") and id(planned) in runs:
                cleanup.add(planned, runs[id(planned)])
            cleanup.sweep()

        controller = SearchController(queue, state.early_stopping, make_trial, reported, ended)
        queue.start()
        # Ray prints to stdout whatever its own processes say, and there --json promises one object.
        with redirect_stdout(sys.stderr) if options.as_json else nullcontext(), view:
            # A grid's open chains may all have been stopped earlier.
            if queue.refill():
                run_trials(
                    controller,
                    concurrent=concurrent,
                    folder=str(folder),
                    name=execution,
                    train=train,
                )
                controller.finish()
    finally:
        cluster.disconnect()
        claims.release_runs(population.storage, sorted(missing), lambda run: run.startswith(f"{execution}-"))
        cleanup.sweep(min_age_s=0)
    tracker.interrupt()
    shutil.rmtree(folder, ignore_errors=True)
    interrupted: tuple[str, ...] = ()
    if controller.interrupted:
        interrupted = (
            f"--time-budget is used up: {len(controller.interrupted)} chains were stopped in training and go on from "
            "their newest checkpoint when the command is repeated",
        )
    trained = sum(key in population for key in missing)
    return _result(spec, state, queue, controller.failed, trained, interrupted)


def _chain_queue(spec: SearchSpec, population: Population, state: SearchState) -> ChainQueue:
    policy = spec.strategy
    return ChainQueue(
        state.open_chains,
        state.sampled.propose if state.sampled else None,
        missing=lambda planned: sum(key not in population for key in planned.chain.keys),
        max_generations=policy.max_generations_trained,
        time_budget_s=policy.time_budget_s,
    )


def _max_generations_to_train(spec: SearchSpec, population: Population, state: SearchState, queue: ChainQueue) -> int:
    """Generations that may be trained; of a sampled search an upper bound."""
    if state.sampled is None:
        return len({key for planned in state.open_chains for key in planned.chain.keys if key not in population})
    return (queue.num_waiting + state.sampled.remaining * len(spec.seeds)) * (spec.generations + 1)


def _result(
    spec: SearchSpec,
    state: SearchState,
    queue: ChainQueue,
    failed: list[tuple[PlannedChain, str]],
    trained: int,
    interrupted: tuple[str, ...],
) -> ExecutionResult:
    sampled = state.sampled.skipped if state.sampled else []
    return ExecutionResult(
        state=state,
        chains=tuple(state.sampled.chains) if state.sampled else spec.chains,
        failed=failed,
        trained=trained,
        skipped=(*spec.skipped, *sampled, *queue.skipped, *interrupted),
    )
