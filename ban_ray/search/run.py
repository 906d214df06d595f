"""The Tune run of a search: chains that miss a generation, as trials."""

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

# Ctrl-C is ours: Tune's own handler would end the run as if nothing had happened. Read when Tune is imported.
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"

from ray import tune
from ray.tune.search import Searcher

from ban_ray.chain import DRIVER_MEMORY_BYTES, Trial, walk
from ban_ray.search.request import Planned

DRIVER_DEATHS = 3
"""Restarts of a trial whose driver process died."""


class Desk:
    """The chains of a run: which are left, which run, how the others ended.

    Attributes:
        failed: chains and the sentences of their failures.
    """

    def __init__(
        self,
        chains: Sequence[Planned],
        make_trial: Callable[[Planned], Trial],
        on_report: Callable[[Planned, dict[str, Any]], None],
        on_end: Callable[[Planned, str], None],
    ) -> None:
        self._left = list(chains)
        self._running: dict[str, Planned] = {}
        self._make_trial, self._on_report, self._on_end = make_trial, on_report, on_end
        self.failed: list[tuple[Planned, str]] = []

    def next(self, trial_id: str) -> dict[str, str] | None:
        """The next chain as a trial's configuration, None when none is left."""
        if not self._left:
            return None
        planned = self._left.pop(0)
        self._running[trial_id] = planned
        return {"trial": self._make_trial(planned).model_dump_json(exclude_defaults=True)}

    def report(self, trial_id: str, record: dict[str, Any]) -> None:
        if planned := self._running.get(trial_id):
            self._on_report(planned, record)

    def end(self, trial_id: str, last: dict[str, Any], error: bool) -> None:
        planned = self._running.pop(trial_id, None)
        if planned is None:
            return
        failure = str(last.get("sentence") or "")
        if not failure and (error or last.get("ended") != "done"):
            failure = "its trial ended without a result; Ray's logs have the reason"
        if failure:
            self.failed.append((planned, failure))
        self._on_end(planned, failure)

    def title(self, trial_id: str) -> str:
        """Readable on the dashboard and in folder names."""
        planned = self._running.get(trial_id)
        return f"{planned.slug}_{trial_id}" if planned else trial_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles what it is given; a copy has nothing to say, since the population remembers."""
        return Desk, ([], _nothing, _nothing, _nothing)


def _nothing(*_: Any) -> Any:
    raise RuntimeError("a copied desk has no chains")


class Queue(Searcher):
    """Hands the desk's chains to Tune."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        return self._desk.next(trial_id) or str(Searcher.FINISHED)

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


def run(desk: Desk, *, concurrent: int, folder: str, name: str) -> None:
    """Run every chain of a desk as one Tune trial, `concurrent` at once.

    Args:
        folder: for Tune's own files.
        name: of the run, on the dashboard.

    Raises:
        KeyboardInterrupt: the user interrupted; what was published stays.
    """

    def title(trial: Any) -> str:
        return desk.title(trial.trial_id)

    with warnings.catch_warnings():
        # About options of Ray's own that this code does not set.
        warnings.filterwarnings("ignore", module=r"ray\..*")
        tune.Tuner(
            tune.with_resources(walk, {"memory": DRIVER_MEMORY_BYTES}),
            tune_config=tune.TuneConfig(
                search_alg=Queue(desk),
                num_samples=-1,
                max_concurrent_trials=concurrent,
                # A driver that has imported Ray and torch takes the next chain.
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
