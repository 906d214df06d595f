"""Stopping in Tune: a scheduler that knows generations; what it decides is the judge's."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from ban_ray.search.schedule.controller import SearchController


class GenerationScheduler(FIFOScheduler):
    """Starts trials in their order and stops those whose chain has ended by the judge's word.

    Tune's own schedulers compare trials by one count of epochs, which is another generation for a chain that was
    answered from the population, and another learning rate for another recipe.
    """

    def __init__(self, controller: SearchController, concurrent: int) -> None:
        """`concurrent`: drivers that are kept for further chains."""
        super().__init__()
        self._controller, self._actors_to_keep = controller, concurrent

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_add(tune_controller, trial)
        for _ in range(self._actors_to_keep):
            # By itself Tune keeps one driver, ends the others and starts as many anew.
            tune_controller._actor_cache.increase_max(trial.placement_group_factory)
        self._actors_to_keep = 0

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """STOP where the chain is stopped or saturated."""
        if not self._controller.should_stop(trial.trial_id, result):
            return str(TrialScheduler.CONTINUE)
        _retire_actor(tune_controller, trial)
        return str(TrialScheduler.STOP)


def _retire_actor(tune_controller: Any, trial: Any) -> None:
    """Keep a trial's process from being given the next chain: its worker group would go on training.

    Tune has no word for this but never to reuse a process, which costs every other chain the start of one. It passes
    over processes that have not started.
    """
    tune_controller._started_actors.discard(tune_controller._trial_to_actor.get(trial))
