"""Stopping in Tune: a scheduler that knows generations; what it decides is the judge's."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from ban_ray.search.desk import Desk


class AcrossGenerations(FIFOScheduler):
    """Starts trials in their order and stops those whose chain has ended by the judge's word.

    Tune's own schedulers compare trials by one count of epochs, which is another generation for a chain that was
    answered from the population, and another learning rate for another recipe.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP where the chain is stopped or saturated."""
        ends = self._desk.judge(trial.trial_id, result)
        return str(TrialScheduler.STOP if ends else TrialScheduler.CONTINUE)
