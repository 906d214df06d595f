"""The Tune run of a search: chains that miss a generation, as trials."""

import os
import warnings
from typing import Any

# Ctrl-C is ours: Tune's own handler would end the run as if nothing had happened. Read when Tune is imported.
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"

from ray import tune
from ray.tune.search import Searcher
from ray.tune.trainable import wrap_function

from ban_ray import ending
from ban_ray.chain import DRIVER_MEMORY_BYTES, Run, walk
from ban_ray.cluster.abandoned import DRIVER, freed
from ban_ray.cluster.own_node import own_node_watched
from ban_ray.search.desk import Desk
from ban_ray.search.stopping import AcrossGenerations

DRIVER_DEATHS = 3
"""Restarts of a trial whose driver process died."""


class Queue(Searcher):
    """Hands the desk's chains to Tune."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        chain = self._desk.next(trial_id)
        return str(Searcher.FINISHED) if chain is None and self._desk.agenda.finished else chain

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self._desk.end(trial_id, result or {}, error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: a search starts anew and the population answers for what is done."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a search is started anew, never restored")


class Ear(tune.Callback):
    """Passes reports on."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        self._desk.report(trial.trial_id, result)


def run(desk: Desk, *, concurrent: int, folder: str, name: str, train: Run | None = None) -> None:
    """Run every chain of a desk as one Tune trial, `concurrent` at once, within its agenda's time.

    Args:
        folder: for Tune's own files.
        name: of the run, on the dashboard.
        train: stands in for the training of a chain's generations.

    Raises:
        KeyboardInterrupt: the user interrupted; what was published stays.
        ClusterLost: Ray's node of this process died; what was published stays.
    """

    class ChainDriver(wrap_function(walk if train is None else tune.with_parameters(walk, run=train))):  # type: ignore[misc]
        """The process of a trial, and of further ones."""

        def __repr__(self) -> str:
            return name

        @classmethod
        def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
            return tune.PlacementGroupFactory([{"memory": DRIVER_MEMORY_BYTES}])

        def cleanup(self) -> None:
            super().cleanup()
            ending.abort()

    # The class that the dashboard shows.
    ChainDriver.__qualname__ = ChainDriver.__name__ = DRIVER

    def title(trial: Any) -> str:
        return desk.title(trial.trial_id)

    with own_node_watched(), freed(), warnings.catch_warnings():
        # About options of Ray's own that this code does not set.
        warnings.filterwarnings("ignore", module=r"ray\..*")
        tune.Tuner(
            ChainDriver,
            tune_config=tune.TuneConfig(
                search_alg=Queue(desk),
                scheduler=AcrossGenerations(desk, concurrent),
                num_samples=-1,
                max_concurrent_trials=concurrent,
                time_budget_s=desk.agenda.seconds_left,
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
                callbacks=[Ear(desk)],
            ),
        ).fit()
