"""The Tune run of a search: each chain that misses a generation is a trial."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Ctrl-C is ours: Tune's own handler would end the run as if nothing had happened. Tune reads this when imported.
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from ban_ray.cluster import ray_internals
from ban_ray.cluster.node_watchdog import raise_if_node_dies
from ban_ray.cluster.orphaned_groups import TRIAL_ACTOR_CLASS, reap_orphans
from ban_ray.runtime.broker import start_broker
from ban_ray.runtime.mailbox_client import request_stop, stop_jobs
from ban_ray.runtime.trial import TRIAL_MEMORY_BYTES, JobRunner, run_trial
from ban_ray.runtime.warm_group import abort_group
from ban_ray.search.schedule.controller import SearchController

MAX_TRIAL_RESTARTS = 3
"""Times that a trial is restarted after its process died."""

STOP_GRACE_S = 12.0
"""Seconds that chains have to stop when the time budget is used up, before Tune ends their processes."""


class ChainSearcher(Searcher):
    """Tune's searcher, which suggests the chains of a controller."""

    def __init__(self, controller: SearchController) -> None:
        super().__init__()
        self._controller = controller

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        chain = self._controller.next_trial_config(trial_id)
        return str(Searcher.FINISHED) if chain is None and self._controller.queue.is_finished else chain

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self._controller.on_trial_complete(trial_id, result or {}, error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing is saved: the population records what has been trained."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a search is started again, never restored")


class ChainScheduler(FIFOScheduler):
    """Tune's scheduler, which starts trials in order and stops those that the controller ends.

    Tune's own schedulers compare trials at the same number of epochs. That is another generation for a chain with
    reused generations, and another learning rate for another recipe.

    Args:
        broker: the search's `JobBroker`.
        max_concurrent_chains: number of trials at once, each in a process that later trials reuse.
    """

    def __init__(self, controller: SearchController, broker: Any, max_concurrent_chains: int) -> None:
        super().__init__()
        self._controller, self._broker, self._idle_actors_to_add = controller, broker, max_concurrent_chains
        self._has_requested_stops = False

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_add(tune_controller, trial)
        ray_internals.raise_idle_actor_limit(tune_controller, trial, self._idle_actors_to_add)
        self._idle_actors_to_add = 0

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if not self._controller.on_result(trial.trial_id, result):
            return str(TrialScheduler.CONTINUE)
        address = self._controller.job_address(trial.trial_id)
        if address is None:
            # Its process waits for the reply to this result, which ends the trial.
            return str(TrialScheduler.STOP)
        # The trial ends by itself when its workers have stopped; they then train the next chain.
        request_stop(self._broker, address)
        return str(TrialScheduler.CONTINUE)

    def choose_trial_to_run(self, tune_controller: Any, **kwargs: Any) -> Any:
        """Called in every turn of Tune's loop."""
        if self._controller.queue.is_out_of_time and not self._has_requested_stops:
            self._has_requested_stops = True
            for address in self._controller.running_job_addresses:
                request_stop(self._broker, address)
        return super().choose_trial_to_run(tune_controller, **kwargs)


def run_trials(
    controller: SearchController,
    *,
    max_concurrent_chains: int,
    folder: str,
    execution_name: str,
    runner: JobRunner | None = None,
) -> None:
    """Run each chain of a controller as a Tune trial, within the queue's time budget.

    Args:
        max_concurrent_chains: maximum number of chains at once.
        folder: for Tune's own files.
        execution_name: name of the run on the dashboard, and of the broker.
        runner: trains the generations of a chain instead of Ray's workers.

    Raises:
        KeyboardInterrupt: interrupted; published generations stay.
        ClusterLost: Ray's node of this process died; published generations stay.
    """
    function = run_trial if runner is None else tune.with_parameters(run_trial, runner=runner)

    class ChainTrainable(ray_internals.train_function_trainable(function)):  # type: ignore[misc]
        """The trainable of a trial; later trials reuse its process."""

        def __repr__(self) -> str:
            return execution_name

        @classmethod
        def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
            return tune.PlacementGroupFactory([{"memory": TRIAL_MEMORY_BYTES}])

        def cleanup(self) -> None:
            try:
                abort_group()
            finally:
                super().cleanup()

    # The dashboard shows this name, and `reap_orphans` finds trials by it.
    ChainTrainable.__qualname__ = ChainTrainable.__name__ = TRIAL_ACTOR_CLASS

    def trial_name(trial: Any) -> str:
        return controller.trial_name(trial.trial_id)

    broker, remaining_s = start_broker(execution_name), controller.queue.remaining_s
    with _stop_when_interrupted(controller, broker), raise_if_node_dies(), reap_orphans(), warnings.catch_warnings():
        # Ray warns about its own options, which are not set here.
        warnings.filterwarnings("ignore", module=r"ray\..*")
        tune.Tuner(
            ChainTrainable,
            tune_config=tune.TuneConfig(
                search_alg=ChainSearcher(controller),
                scheduler=ChainScheduler(controller, broker, max_concurrent_chains),
                num_samples=-1,
                max_concurrent_trials=max_concurrent_chains,
                time_budget_s=None if remaining_s is None else remaining_s + STOP_GRACE_S,
                # A process that has imported Ray runs the next trial too, with its worker group.
                reuse_actors=True,
                trial_name_creator=trial_name,
                trial_dirname_creator=trial_name,
            ),
            run_config=tune.RunConfig(
                name=execution_name,
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_TRIAL_RESTARTS),
            ),
        ).fit()


@contextmanager
def _stop_when_interrupted(controller: SearchController, broker: Any) -> Iterator[None]:
    """Ask the workers to stop on Ctrl-C; those that do not are killed when Ray is disconnected."""
    try:
        yield
    except KeyboardInterrupt:
        stop_jobs(broker, controller.running_job_addresses)
        raise
