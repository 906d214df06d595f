"""The Tune run of a search: chains that miss a generation, as trials."""

import os
import warnings
from typing import Any

# Ctrl-C is ours: Tune's own handler would end the run as if nothing had happened. Read when Tune is imported.
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"

from ray import tune
from ray.tune.search import Searcher
from ray.tune.trainable import wrap_function

from ban_ray.cluster.node_watchdog import raise_if_node_dies
from ban_ray.cluster.orphaned_groups import DRIVER, reap_orphans
from ban_ray.runtime import controller as ending
from ban_ray.runtime.trial import DRIVER_MEMORY_BYTES, TrainFunction, run_trial
from ban_ray.search.run.scheduler import GenerationScheduler
from ban_ray.search.schedule.controller import SearchController

DRIVER_DEATHS = 3
"""Restarts of a trial whose driver process died."""


class ChainSearcher(Searcher):
    """Hands the desk's chains to Tune."""

    def __init__(self, controller: SearchController) -> None:
        super().__init__()
        self._controller = controller

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        chain = self._controller.start_trial(trial_id)
        return str(Searcher.FINISHED) if chain is None and self._controller.queue.finished else chain

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self._controller.on_trial_complete(trial_id, result or {}, error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: a search starts anew and the population answers for what is done."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a search is started anew, never restored")


class ReportCallback(tune.Callback):
    """Passes reports on."""

    def __init__(self, controller: SearchController) -> None:
        self._controller = controller

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        self._controller.on_result(trial.trial_id, result)


def run_trials(
    controller: SearchController, *, concurrent: int, folder: str, name: str, train: TrainFunction | None = None
) -> None:
    """Run every chain of a desk as one Tune trial, `concurrent` at once, within its agenda's time.

    Args:
        folder: for Tune's own files.
        name: of the run, on the dashboard.
        train: stands in for the training of a chain's generations.

    Raises:
        KeyboardInterrupt: the user interrupted; what was published stays.
        ClusterLost: Ray's node of this process died; what was published stays.
    """

    class ChainDriver(wrap_function(run_trial if train is None else tune.with_parameters(run_trial, run=train))):  # type: ignore[misc]
        """The process of a trial, and of further ones."""

        def __repr__(self) -> str:
            return name

        @classmethod
        def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
            return tune.PlacementGroupFactory([{"memory": DRIVER_MEMORY_BYTES}])

        def cleanup(self) -> None:
            super().cleanup()
            ending.abort_run()

    # The class that the dashboard shows.
    ChainDriver.__qualname__ = ChainDriver.__name__ = DRIVER

    def title(trial: Any) -> str:
        return controller.trial_name(trial.trial_id)

    with raise_if_node_dies(), reap_orphans(), warnings.catch_warnings():
        # About options of Ray's own that this code does not set.
        warnings.filterwarnings("ignore", module=r"ray\..*")
        tune.Tuner(
            ChainDriver,
            tune_config=tune.TuneConfig(
                search_alg=ChainSearcher(controller),
                scheduler=GenerationScheduler(controller, concurrent),
                num_samples=-1,
                max_concurrent_trials=concurrent,
                time_budget_s=controller.queue.remaining_s,
                # A driver that has imported Ray takes the next chain, unless its own was stopped.
                reuse_actors=True,
                trial_name_creator=title,
                trial_dirname_creator=title,
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=DRIVER_DEATHS),
                callbacks=[ReportCallback(controller)],
            ),
        ).fit()
