"""Trials that are shorter than the start of their process, without the stall that Tune makes of them.

With ``reuse_actors`` Tune gives a waiting trial the process that is free first and ends the one that is starting for
it. Where a trial takes less than such a start, the first process that is up takes every trial, and for each of them
another process is started and ended, a second of a core each: 1.5 s a trial where 0.1 s are needed. Training takes
longer than that; a simulator has to wait for the others once.
"""

import os
import time
from dataclasses import dataclass

from ban_ray.chain import Run
from ban_ray.cluster import Group
from ban_ray.order import Order, Outcome
from tests.benchmarks.simulator import Report

START_S = 10.0
"""Longer than two processes of Ray take to start beside each other on two cores."""
_MARK = "BAN_RAY_BENCHMARK_PROCESS_IS_UP"


def wait_for_others() -> None:
    """Once in a process: as long as the others may need to start."""
    if os.environ.get(_MARK) != str(os.getpid()):
        time.sleep(START_S)
        os.environ[_MARK] = str(os.getpid())


@dataclass(frozen=True)
class AllUp:
    """A `ban_ray.chain.Run` that waits in its process's first chain."""

    run: Run

    def __call__(self, order: Order, group: Group, report: Report, *, name: str, folder: str) -> Outcome:
        wait_for_others()
        return self.run(order, group, report, name=name, folder=folder)
