"""Trials that are shorter than the start of their process, without the stall that Tune makes of them.

With ``reuse_actors`` Tune gives a waiting trial the process that is free first and ends the one that is starting for
it. Where a trial takes less than such a start, the first processes that are up take every trial, and for each of them
another process is started and ended, a second of a core each: 1.5 s a trial where 0.1 s are needed. Training takes
longer than that; a simulator's processes wait for each other once.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ban_ray.cluster import WorkerResources
from ban_ray.runtime.events import EventHandler
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.trial import JobRunner

PATIENCE_S = 120.0


def wait_for_others(search: str, processes: int) -> None:
    """In a process's first trial, until as many processes of this machine are in theirs; else nothing."""
    folder = Path(tempfile.gettempdir()) / f"ban-ray-benchmark-{search}"
    marker = folder / str(os.getpid())
    if marker.exists():
        return
    folder.mkdir(exist_ok=True)
    marker.touch()
    end = time.monotonic() + PATIENCE_S
    while sum(1 for _ in folder.iterdir()) < processes and time.monotonic() < end:
        time.sleep(0.05)


@dataclass(frozen=True)
class AllUp:
    """A `ban_ray.runtime.trial.JobRunner` that waits in its process's first chain."""

    run: JobRunner
    processes: int

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult:
        wait_for_others(job.context.execution_name, self.processes)
        return self.run(job, resources, on_event, name=name, folder=folder)
