"""The controller of a search's chains, which refers to Tune's trials by their ids; imports no Ray."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ban_ray.runtime.events import ChainEnded, Event, JobAddress, JobSubmitted, Published, Waiting, event_from_result
from ban_ray.runtime.messages import TrialSpec
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.early_stopping import StoppingRule
from ban_ray.search.schedule.outcome import DONE, ChainOutcome, ChainResult
from ban_ray.search.schedule.queue import ChainQueue


class ChainCallback:
    """Called as the chains of a search start, send events and end; by default every method does nothing."""

    def on_chain_start(self, planned: PlannedChain) -> None:
        """A chain's trial starts."""

    def on_event(self, planned: PlannedChain, event: Event) -> None:
        """A running chain has sent an event, except `JobSubmitted`."""

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        """A chain has ended, or was cancelled before it started."""


class SearchController:
    """Connects Tune's trials with the chains of a search.

    Args:
        make_trial: makes the trial of a chain, given its number within the execution.
        callbacks: called in order.

    Attributes:
        ended_chains: chains that have ended or were cancelled before they started, with their outcomes.
    """

    def __init__(
        self,
        queue: ChainQueue,
        stopping_rule: StoppingRule,
        make_trial: Callable[[PlannedChain, int], TrialSpec],
        callbacks: Sequence[ChainCallback] = (),
    ) -> None:
        self.queue, self._stopping_rule = queue, stopping_rule
        self._make_trial, self._callbacks = make_trial, callbacks
        self._running: dict[str, PlannedChain] = {}
        self._outcomes: dict[str, ChainOutcome] = {}
        self._cancelled: dict[str, list[PlannedChain]] = {}
        self._job_addresses: dict[str, JobAddress] = {}
        self._num_started = 0
        self.ended_chains: list[ChainResult] = []

    def next_trial_config(self, trial_id: str) -> dict[str, str] | None:
        """Start the next chain, as the configuration of Tune's trial; None if none can start now."""
        planned = self.queue.next_chain()
        while planned is not None and (outcome := self._stopping_rule.before_start(planned)):
            self.queue.on_chain_end(planned)
            self._end_chains((planned, *self.queue.cancel_configuration(planned)), outcome)
            planned = self.queue.next_chain()
        if planned is None:
            return None
        self._running[trial_id] = planned
        self._num_started += 1
        trial = self._make_trial(planned, self._num_started)
        for callback in self._callbacks:
            callback.on_chain_start(planned)
        return {"trial": trial.model_dump_json(exclude_defaults=True)}

    def on_result(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Handle a trial's result.

        Returns:
            Whether the trial's chain is to end.
        """
        planned, event = self._running.get(trial_id), event_from_result(result)
        if planned is None or event is None:
            return False
        if isinstance(event, Published):
            self.queue.on_generation_trained(planned)
        if isinstance(event, JobSubmitted):
            self._job_addresses[trial_id] = event.address
        if isinstance(event, Waiting):
            self._job_addresses.pop(trial_id, None)
        if trial_id in self._outcomes:
            # Its workers have been asked to stop, and sent this before they did.
            return not isinstance(event, ChainEnded)
        if isinstance(event, JobSubmitted):
            # A chain that waited for another one's generation may start late.
            return self.queue.is_out_of_time
        outcome = self._stopping_rule.on_event(planned, event)
        if outcome is not None:
            self._outcomes[trial_id] = outcome
            if outcome.status == "pruned":
                self._cancelled[trial_id] = self.queue.cancel_configuration(planned)
        for callback in self._callbacks:
            callback.on_event(planned, event)
        return outcome is not None

    def job_address(self, trial_id: str) -> JobAddress | None:
        """The address of the job that trains a running trial's chain; None if its workers have none now."""
        return self._job_addresses.get(trial_id)

    @property
    def running_job_addresses(self) -> list[JobAddress]:
        """The addresses of the jobs of all running trials."""
        return list(self._job_addresses.values())

    def on_trial_complete(self, trial_id: str, last: Mapping[str, Any], error: bool) -> None:
        """Handle the end of a trial, given its last result."""
        planned = self._running.pop(trial_id, None)
        if planned is None:
            return
        self._job_addresses.pop(trial_id, None)
        outcome = self._outcomes.pop(trial_id, None) or self._outcome_of(last, error)
        self.queue.on_chain_end(planned)
        for chain in (planned, *self._cancelled.pop(trial_id, ())):
            self.ended_chains.append((chain, outcome))
            for callback in self._callbacks:
                callback.on_chain_end(chain, outcome)

    def _end_chains(self, chains: Sequence[PlannedChain], outcome: ChainOutcome) -> None:
        for chain in chains:
            for callback in self._callbacks:
                callback.on_chain_end(chain, outcome)

    def end_remaining_trials(self) -> None:
        """Handle the end of trials that ran when the time budget was used up, which Tune does not report."""
        for trial_id in list(self._running):
            self.on_trial_complete(trial_id, {}, error=False)
        self.queue.finish_if_out_of_time()

    def trial_name(self, trial_id: str) -> str:
        """A readable name for the dashboard and for folders."""
        planned = self._running.get(trial_id)
        return f"{planned.slug}_{trial_id}" if planned else trial_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles its searcher; a copy needs no chains, since the population records what has been trained."""
        return SearchController, (ChainQueue((), count_missing=_no_chains), StoppingRule(), _no_chains)

    def _outcome_of(self, last: Mapping[str, Any], error: bool) -> ChainOutcome:
        event = event_from_result(last)
        if isinstance(event, ChainEnded) and event.status == "failed":
            return ChainOutcome("failed", event.message)
        if not error and isinstance(event, ChainEnded) and event.status == "done":
            return DONE
        if self.queue.is_out_of_time:
            return ChainOutcome("interrupted", "--time-budget was used up")
        return ChainOutcome("failed", "its trial ended without a result; Ray's logs have the reason")


def _no_chains(*_: Any) -> Any:
    raise RuntimeError("a copied controller has no chains")
