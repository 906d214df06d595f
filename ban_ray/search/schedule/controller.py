"""The chains of a run: which are left, which run, how the others ended; knows trials by their ids, and no Ray."""

from collections.abc import Callable
from typing import Any

from ban_ray.runtime.trial import TrialSpec
from ban_ray.search.config.resolve import PlannedChain
from ban_ray.search.schedule.early_stopping import EarlyStopping
from ban_ray.search.schedule.outcome import DONE, ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue


class SearchController:
    """Stands between Tune and the search.

    Attributes:
        begun: every chain that was started, in order.
        failed: chains and the sentences of their failures.
        interrupted: chains that were running when the time was up.
    """

    def __init__(
        self,
        queue: ChainQueue,
        early_stopping: EarlyStopping | None,
        make_trial: Callable[[PlannedChain, int], TrialSpec],
        on_report: Callable[[PlannedChain, dict[str, Any]], None],
        on_end: Callable[[PlannedChain, ChainOutcome], None],
    ) -> None:
        """`make_trial` is given a chain and its number."""
        self.queue, self._early_stopping = queue, early_stopping
        self._running: dict[str, PlannedChain] = {}
        self._outcomes: dict[str, ChainOutcome] = {}
        self._make_trial, self._on_report, self._on_end = make_trial, on_report, on_end
        self.started: list[PlannedChain] = []
        self.failed: list[tuple[PlannedChain, str]] = []
        self.interrupted: list[PlannedChain] = []

    def start_trial(self, trial_id: str) -> dict[str, str] | None:
        """The next chain as a trial's configuration, None when there is none now."""
        planned = self.queue.next()
        if planned is None:
            return None
        self._running[trial_id] = planned
        self.started.append(planned)
        trial = self._make_trial(planned, len(self.started))
        return {"trial": trial.model_dump_json(exclude_defaults=True)}

    def should_stop(self, trial_id: str, record: dict[str, Any]) -> bool:
        """Whether the trial's chain ends by this report."""
        planned = self._running.get(trial_id)
        if planned is None or self._early_stopping is None or "ended" in record:
            return False
        outcome = self._early_stopping.on_report(planned, record)
        if outcome is not None:
            self._outcomes[trial_id] = outcome
        return outcome is not None

    def on_result(self, trial_id: str, record: dict[str, Any]) -> None:
        if planned := self._running.get(trial_id):
            if record.get("published"):
                self.queue.on_generation_trained(planned)
            self._on_report(planned, record)

    def on_trial_complete(self, trial_id: str, last: dict[str, Any], error: bool) -> None:
        planned = self._running.pop(trial_id, None)
        if planned is None:
            return
        outcome = self._outcomes.pop(trial_id, None) or self._outcome_of(last, error)
        self.queue.on_chain_end(planned)
        if outcome.status == "failed":
            self.failed.append((planned, outcome.message))
        if outcome.status == "interrupted":
            self.interrupted.append(planned)
        self._on_end(planned, outcome)
        if outcome.status == "stopped":
            for other in self.queue.cancel_configuration(planned):
                self._on_end(other, outcome)

    def finish(self) -> None:
        """The run is over: Tune does not tell of the trials that it ended when the time was up."""
        for trial_id in list(self._running):
            self.on_trial_complete(trial_id, {}, error=False)
        self.queue.close()

    def trial_name(self, trial_id: str) -> str:
        """Readable on the dashboard and in folder names."""
        planned = self._running.get(trial_id)
        return f"{planned.slug}_{trial_id}" if planned else trial_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles what it is given; a copy has nothing to say, since the population remembers."""
        return SearchController, (ChainQueue((), missing=_nothing), None, _nothing, _nothing, _nothing)

    def _outcome_of(self, last: dict[str, Any], error: bool) -> ChainOutcome:
        if sentence := str(last.get("sentence") or ""):
            return ChainOutcome("failed", sentence)
        if not error and last.get("ended") == "done":
            return DONE
        if self.queue.out_of_time:
            return ChainOutcome("interrupted", "--time-budget was used up")
        return ChainOutcome("failed", "its trial ended without a result; Ray's logs have the reason")


def _nothing(*_: Any) -> Any:
    raise RuntimeError("a copied desk has no chains")
