"""What chains that were stopped in training leave: claims, and checkpoints that would fill the disk."""

import time

from ban_ray.population import Population, checkpoints, claims
from ban_ray.search.config.resolve import PlannedChain

LATE_WRITES_S = 10.0
"""Workers of a stopped chain live on for about a second."""


class StoppedChainCleanup:
    """Releases the claims, and removes the checkpoints once nobody writes them any more, unless they are to be kept."""

    def __init__(self, population: Population, *, keep: bool = False) -> None:
        self._population, self._keep = population, keep
        self._stopped: list[tuple[float, PlannedChain, str]] = []

    def add(self, planned: PlannedChain, run_prefix: str) -> None:
        """A chain was stopped whose claims are named `runs...`."""
        if not self._keep:
            self._stopped.append((time.monotonic(), planned, run_prefix))
        claims.release_runs(self._population.storage, list(planned.chain.keys), lambda run: run.startswith(run_prefix))

    def sweep(self, min_age_s: float = LATE_WRITES_S) -> None:
        """Remove the checkpoints of chains that were stopped longer ago than `older_s`."""
        now = time.monotonic()
        due = [entry for entry in self._stopped if now - entry[0] >= min_age_s]
        self._stopped = [entry for entry in self._stopped if entry not in due]
        for _, planned, runs in due:
            for key in planned.chain.keys:
                if key in self._population:
                    continue
                _, record = claims.current(self._population.storage, key)
                if record is None or record.get("released") is True or str(record.get("run")).startswith(runs):
                    checkpoints.clear(self._population.storage, key)
