"""The execution of a search, from its plan to its result."""

import secrets
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from ban_ray.cli.console import Console
from ban_ray.cli.text import pluralised
from ban_ray.cluster import WorkerResources, connect, disconnect
from ban_ray.cluster.nodes import require_shared
from ban_ray.errors import UserError
from ban_ray.population import Population, claims, failures
from ban_ray.runtime.messages import ExecutionContext, TrialSpec
from ban_ray.runtime.trial import JobRunner
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan.disk_space import check_disk_space
from ban_ray.search.plan.plan import Plan
from ban_ray.search.results.progress import make_progress_view
from ban_ray.search.run.cleanup import EndedEarlyCleanup
from ban_ray.search.schedule.controller import ChainCallback, SearchController
from ban_ray.search.schedule.outcome import ChainResult
from ban_ray.search.schedule.state import SearchState
from ban_ray.specs import Recipe
from ban_ray.storage.identity import storage_id


@dataclass(frozen=True)
class SearchPaths:
    """The URL of a search's population, its folder for local files, and its name."""

    storage_url: str
    search_folder: Path
    search_name: str


@dataclass(frozen=True)
class ExecutionResult:
    """The result of an execution.

    Attributes:
        ended_chains: chains that have ended in this execution.
        num_newly_published: number of generations that were missing and are members now, whoever has trained them.
        skip_reasons: sentences about chains and configurations that a budget or a limit excluded.
    """

    state: SearchState
    ended_chains: Sequence[ChainResult]
    num_newly_published: int
    skip_reasons: tuple[str, ...]

    @property
    def failures(self) -> list[tuple[PlannedChain, str]]:
        """Chains that have failed, with the reason."""
        return [(planned, outcome.message) for planned, outcome in self.ended_chains if outcome.status == "failed"]

    @property
    def ended_early(self) -> list[ChainResult]:
        """Chains that were pruned, or saturated, before their last generation."""
        return [ended for ended in self.ended_chains if ended[1].status in ("pruned", "saturated")]


@dataclass
class _MissingGenerations(ChainCallback):
    """Collects the generations that are missing when their chain starts."""

    population: Population
    keys: set[str] = field(default_factory=set)

    def on_chain_start(self, planned: PlannedChain) -> None:
        self.keys.update(key for key in planned.chain.keys if key not in self.population)

    @property
    def num_newly_published(self) -> int:
        """Number of them that are members now, whoever has trained them."""
        return sum(key in self.population for key in self.keys)


@dataclass
class _ForgetFailures(ChainCallback):
    """Deletes the recorded failures of a chain's generations when it starts, so that they are trained again."""

    population: Population

    def on_chain_start(self, planned: PlannedChain) -> None:
        for key in planned.chain.keys:
            if key not in self.population:
                failures.forget(self.population.storage, key)


def execute(
    plan: Plan, population: Population, paths: SearchPaths, console: Console, runner: JobRunner | None = None
) -> ExecutionResult:
    """Train the missing generations.

    Args:
        plan: what to train; lists no chains if the search is sampled.
        runner: trains the generations of a chain instead of Ray's workers, as simulations do.

    Raises:
        UserError: the cluster does not answer or cannot hold a worker group.
        KeyboardInterrupt: interrupted; published generations stay.
    """
    spec, state = plan.spec, None
    if spec.is_sampled or not plan.incomplete_chains:
        # Finished configurations are found without a cluster.
        state = SearchState.open(spec, population, paths.search_folder, paths.search_name)
        if num_finished := state.configurations.num_from_population:
            console.say(
                f"Added {pluralised(num_finished, 'configuration')} already trained in the population to the study"
            )
        if not state.queue.refill():
            console.say("Nothing to train: every generation is in the population.")
            return _result(spec, state, (), 0)
    execution_name = f"{paths.search_name}-{secrets.token_hex(4)}"
    missing = _MissingGenerations(population)
    cleanup = EndedEarlyCleanup(population, keep_checkpoints=spec.options.keep_unfinished)
    try:
        with _connected(plan, paths, console) as (resources, max_concurrent_chains):
            if state is None:
                state = SearchState.open(spec, population, paths.search_folder, paths.search_name)
            run = _Execution(plan, state, population, paths, execution_name, resources, max_concurrent_chains)
            controller = run.train(console, missing, cleanup, runner)
    finally:
        # The workers have ended with the connection.
        claims.release_held_by(
            population.storage, sorted(missing.keys), lambda holder: holder.startswith(f"{execution_name}-")
        )
        cleanup.remove_checkpoints(min_age_s=0)
    state.configurations.interrupt_open_trials()
    shutil.rmtree(paths.search_folder / "ray", ignore_errors=True)
    return _result(spec, state, controller.ended_chains, missing.num_newly_published)


@contextmanager
def _connected(plan: Plan, paths: SearchPaths, console: Console) -> Iterator[tuple[WorkerResources, int]]:
    """Connect to Ray; yields the resources of a chain's workers, and the maximum number of chains at once."""
    options, has_ended = plan.spec.options, threading.Event()
    cluster = connect(options.address, namespace="ban_ray", working_dir=options.working_dir)
    try:
        resources = WorkerResources.for_cluster(
            cluster, recipe_for_worker_resources(plan.spec), options.cpus_per_worker, options.gpus_per_worker
        )
        if not resources.gpus_per_worker and (options.deterministic or not options.cuda_graph):
            option = "--deterministic" if options.deterministic else "--no-cuda-graph"
            raise UserError(f"{option} is for GPUs, and none are used here; on a CPU a seed always gives the same bits")
        num_groups_that_fit = resources.max_concurrent(cluster)
        max_concurrent_chains = options.concurrent or num_groups_that_fit
        if cluster.started:
            # This cluster does not grow. On others, waiting worker groups make an autoscaler add nodes.
            max_concurrent_chains = min(max_concurrent_chains, num_groups_that_fit)
        if plan.incomplete_chains:
            max_concurrent_chains = min(max_concurrent_chains, len(plan.incomplete_chains))
            check_disk_space(paths.storage_url, plan, max_concurrent_chains)
        require_shared(paths.storage_url)
        console.say(
            f"Ray: {cluster.cpus:g} CPUs, {cluster.gpus:g} GPUs; {pluralised(max_concurrent_chains, 'chain')} at once"
        )

        def print_dashboard() -> None:
            address = cluster.wait_for_dashboard() or "off"
            if not has_ended.is_set():
                console.say(f"dashboard {address} (token: ray get-auth-token)")

        threading.Thread(target=print_dashboard, name="dashboard", daemon=True).start()
        yield resources, max_concurrent_chains
    finally:
        has_ended.set()
        disconnect()


def recipe_for_worker_resources(spec: SearchSpec) -> Recipe:
    """The recipe that worker groups must support: with TF32, which needs GPUs, if that is one of several precisions."""
    searched = spec.overrides.searched.get("recipe.precision")
    is_tf32 = searched is not None and searched.contains("tf32")
    return spec.context.recipe.model_copy(update={"precision": "tf32"} if is_tf32 else {})


@dataclass(frozen=True)
class _Execution:
    """An execution of a search on a connected cluster."""

    plan: Plan
    state: SearchState
    population: Population
    paths: SearchPaths
    execution_name: str
    resources: WorkerResources
    max_concurrent_chains: int

    def train(
        self,
        console: Console,
        missing: _MissingGenerations,
        cleanup: EndedEarlyCleanup,
        runner: JobRunner | None,
    ) -> SearchController:
        """Train the chains of the queue; returns the controller, which has those that have ended."""
        # Ray reads its environment when it is imported, so this comes after the connection.
        from ban_ray.search.run.prometheus import SearchGauges
        from ban_ray.search.run.tune_run import run_trials

        spec, state, ray_folder = self.plan.spec, self.state, self.paths.search_folder / "ray"
        # The files of Tune and Train are never read again: the population records what has been trained.
        shutil.rmtree(ray_folder, ignore_errors=True)
        context = make_context(spec, self.paths.storage_url, self.population, self.execution_name)
        view = make_progress_view(console, state.queue.queued_chains, self._max_generations_to_train())
        gauges = SearchGauges(self.paths.search_name, self.population, self.plan.published_keys)

        def make_trial(planned: PlannedChain, number: int) -> TrialSpec:
            chosen = {} if planned.teachers is None else {"teacher_description": planned.teachers.description}
            trial = TrialSpec(
                context=context.model_copy(update=chosen),
                chain=planned.chain,
                chain_number=number,
                name=planned.slug,
                ray_folder=f"{ray_folder}/{self.execution_name}",
                gpus_per_worker=self.resources.gpus_per_worker,
                cluster_may_grow=self.resources.cluster_may_grow,
            )
            cleanup.add_trial(planned, trial)
            return trial

        retried = [_ForgetFailures(self.population)] if spec.options.retry_failed else []
        callbacks = (missing, *retried, state.configurations, view, gauges, cleanup)
        controller = SearchController(state.queue, state.stopping_rule, make_trial, callbacks)
        state.queue.start_time_budget()
        # Ray prints messages of its processes on stdout, where --json prints one object and nothing else.
        with redirect_stdout(sys.stderr) if spec.options.as_json else nullcontext(), view:
            # A grid's incomplete chains may all have been pruned earlier.
            if state.queue.refill():
                run_trials(
                    controller,
                    max_concurrent_chains=self.max_concurrent_chains,
                    folder=str(ray_folder),
                    execution_name=self.execution_name,
                    runner=runner,
                )
                controller.end_remaining_trials()
        return controller

    def _max_generations_to_train(self) -> int:
        """Number of generations to train; an upper bound where chains are not known yet."""
        spec, state = self.plan.spec, self.state
        if not spec.is_sampled and not spec.teacher_decisions.is_per_configuration:
            keys = {key for planned in state.queue.queued_chains for key in planned.chain.keys}
            return sum(key not in self.population for key in keys)
        sampled = len(state.queue.queued_chains) + state.configurations.num_remaining * len(spec.seeds)
        num_chains = sampled if spec.is_sampled else len(self.plan.incomplete_chains)
        return num_chains * (spec.num_born_again_generations + 1)


def make_context(spec: SearchSpec, storage_url: str, population: Population, execution_name: str) -> ExecutionContext:
    """The context of all workers: the options that `ExecutionContext` has too, and facts about this execution."""
    shared = ExecutionContext.model_fields.keys() & type(spec.options).model_fields.keys()
    facts = {
        "storage": storage_url,
        "storage_id": storage_id(population.storage),
        "data_source": spec.data_source,
        "execution_name": execution_name,
        "teacher_description": spec.teacher_description,
    }
    return ExecutionContext(**spec.options.model_dump(include=shared) | facts)


def _result(
    spec: SearchSpec, state: SearchState, ended_chains: Sequence[ChainResult], num_newly_published: int
) -> ExecutionResult:
    skip_reasons = [*spec.skip_reasons, *state.configurations.skip_reasons, *state.queue.skip_reasons]
    if num_interrupted := sum(outcome.status == "interrupted" for _, outcome in ended_chains):
        skip_reasons.append(
            f"--time-budget is used up: {num_interrupted} chains were stopped in training and resume from their newest "
            "checkpoint when the command is repeated"
        )
    return ExecutionResult(state, ended_chains, num_newly_published, tuple(skip_reasons))
