"""The chains of a run: which are left, which run, how the others ended; knows trials by their ids, and no Ray."""

from collections.abc import Callable
from typing import Any

from ban_ray.chain import Trial
from ban_ray.search.agenda import Agenda
from ban_ray.search.endings import DONE, Ending
from ban_ray.search.judge import Judge
from ban_ray.search.request import Planned


class Desk:
    """Stands between Tune and the search.

    Attributes:
        begun: every chain that was started, in order.
        failed: chains and the sentences of their failures.
        interrupted: chains that were running when the time was up.
    """

    def __init__(
        self,
        agenda: Agenda,
        judge: Judge | None,
        make_trial: Callable[[Planned, int], Trial],
        on_report: Callable[[Planned, dict[str, Any]], None],
        on_end: Callable[[Planned, Ending], None],
    ) -> None:
        """`make_trial` is given a chain and its number."""
        self.agenda, self._judge = agenda, judge
        self._running: dict[str, Planned] = {}
        self._endings: dict[str, Ending] = {}
        self._make_trial, self._on_report, self._on_end = make_trial, on_report, on_end
        self.begun: list[Planned] = []
        self.failed: list[tuple[Planned, str]] = []
        self.interrupted: list[Planned] = []

    def next(self, trial_id: str) -> dict[str, str] | None:
        """The next chain as a trial's configuration, None when there is none now."""
        planned = self.agenda.next()
        if planned is None:
            return None
        self._running[trial_id] = planned
        self.begun.append(planned)
        trial = self._make_trial(planned, len(self.begun))
        return {"trial": trial.model_dump_json(exclude_defaults=True)}

    def judge(self, trial_id: str, record: dict[str, Any]) -> bool:
        """Whether the trial's chain ends by this report."""
        planned = self._running.get(trial_id)
        if planned is None or self._judge is None or "ended" in record:
            return False
        verdict = self._judge.hear(planned, record)
        if verdict is not None:
            self._endings[trial_id] = verdict
        return verdict is not None

    def report(self, trial_id: str, record: dict[str, Any]) -> None:
        if planned := self._running.get(trial_id):
            if record.get("published"):
                self.agenda.trained(planned)
            self._on_report(planned, record)

    def end(self, trial_id: str, last: dict[str, Any], error: bool) -> None:
        planned = self._running.pop(trial_id, None)
        if planned is None:
            return
        ending = self._endings.pop(trial_id, None) or self._ending(last, error)
        self.agenda.ended(planned)
        if ending.kind == "failed":
            self.failed.append((planned, ending.sentence))
        if ending.kind == "interrupted":
            self.interrupted.append(planned)
        self._on_end(planned, ending)
        if ending.kind == "stopped":
            for other in self.agenda.drop(planned):
                self._on_end(other, ending)

    def close(self) -> None:
        """The run is over: Tune does not tell of the trials that it ended when the time was up."""
        for trial_id in list(self._running):
            self.end(trial_id, {}, error=False)
        self.agenda.close()

    def title(self, trial_id: str) -> str:
        """Readable on the dashboard and in folder names."""
        planned = self._running.get(trial_id)
        return f"{planned.slug}_{trial_id}" if planned else trial_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune pickles what it is given; a copy has nothing to say, since the population remembers."""
        return Desk, (Agenda((), missing=_nothing), None, _nothing, _nothing, _nothing)

    def _ending(self, last: dict[str, Any], error: bool) -> Ending:
        if sentence := str(last.get("sentence") or ""):
            return Ending("failed", sentence)
        if not error and last.get("ended") == "done":
            return DONE
        if self.agenda.out_of_time:
            return Ending("interrupted", "--time-budget was used up")
        return Ending("failed", "its trial ended without a result; Ray's logs have the reason")


def _nothing(*_: Any) -> Any:
    raise RuntimeError("a copied desk has no chains")
