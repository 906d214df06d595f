"""Cleanup after chains that ended early: of their claims, and of checkpoints that would fill the disk."""

import time

from ban_ray.population import Population, checkpoints, claims
from ban_ray.runtime.messages import TrialSpec
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.controller import ChainCallback
from ban_ray.search.schedule.outcome import ChainOutcome

CHECKPOINT_REMOVAL_DELAY_S = 10.0
"""Seconds from the end of a chain to the removal of its checkpoints; its workers may write for about one second."""


class EndedEarlyCleanup(ChainCallback):
    """Releases the claims of chains that were pruned or saturated, and removes their checkpoints a little later.

    Args:
        keep_checkpoints: whether the checkpoints are kept.
    """

    def __init__(self, population: Population, *, keep_checkpoints: bool = False) -> None:
        self._population, self._keep_checkpoints = population, keep_checkpoints
        self._job_id_prefixes: dict[int, str] = {}
        self._ended_early: list[tuple[float, PlannedChain, str]] = []

    def add_trial(self, planned: PlannedChain, trial: TrialSpec) -> None:
        """Remember the prefix of the job ids that hold claims for a chain."""
        self._job_id_prefixes[id(planned)] = trial.job_id_prefix

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        job_id_prefix = self._job_id_prefixes.get(id(planned))
        if job_id_prefix is not None and outcome.status in ("pruned", "saturated"):
            if not self._keep_checkpoints:
                self._ended_early.append((time.monotonic(), planned, job_id_prefix))
            claims.release_held_by(
                self._population.storage, list(planned.chain.keys), lambda holder: holder.startswith(job_id_prefix)
            )
        self.remove_checkpoints()

    def remove_checkpoints(self, min_age_s: float = CHECKPOINT_REMOVAL_DELAY_S) -> None:
        """Remove the checkpoints of chains that ended early at least `min_age_s` seconds ago."""
        now = time.monotonic()
        due = [entry for entry in self._ended_early if now - entry[0] >= min_age_s]
        self._ended_early = [entry for entry in self._ended_early if entry not in due]
        for _, planned, job_id_prefix in due:
            for key in planned.chain.keys:
                if key in self._population:
                    continue
                _, record = claims.current(self._population.storage, key)
                if record is None or record.get("released") is True or str(record.get("run")).startswith(job_id_prefix):
                    checkpoints.clear(self._population.storage, key)
