"""Requests to stop a job, which all workers of a group follow at the same border between two steps."""

import threading
from collections.abc import Callable

AFTER_THE_END = 2**62


class JobStopped(Exception):
    """The current job was stopped by request."""


class StopSignal:
    """Stops a worker's current job; `request` is called from another thread than the rest.

    Workers wait for each other within a step, so they may only stop at the same one. Each tells which border it has
    reached, and all stop after the furthest: a worker that is further cannot go back, and the others can follow.

    Args:
        agree: given a job's run and this worker's border, the furthest border of all workers; blocks until each has
            told its own.
    """

    def __init__(self, agree: Callable[[str, int], int] = lambda run, border: border) -> None:
        self._agree = agree
        self._run, self._border = "", 0
        self._requested: set[str] = set()
        self._ended: set[str] = set()
        self._last_border: dict[str, int] = {}
        self._agreed = threading.Condition()

    def begin(self, run: str) -> None:
        """A job begins."""
        self._border = 0
        self._run = run

    def end(self) -> None:
        """The job has ended."""
        self._ended.add(self._run)

    def check(self) -> None:
        """Called at each border of the job, which are the same for all workers.

        Raises:
            JobStopped: the job was asked to stop, and no worker goes further.
        """
        # A request reads the border after it is visible here, so one of the two sees the other.
        self._border += 1
        if self._run not in self._requested:
            return
        with self._agreed:
            self._agreed.wait_for(lambda: self._run in self._last_border)
        if self._border > self._last_border[self._run]:
            raise JobStopped(self._run)

    def request(self, run: str) -> None:
        """Stop the job of this run, whether it is current, past, or yet to come; a second request changes nothing."""
        if run in self._requested:
            return
        self._requested.add(run)
        border = self._border if run == self._run else 0
        last_border = self._agree(run, AFTER_THE_END if run in self._ended else border)
        with self._agreed:
            self._last_border[run] = last_border
            self._agreed.notify_all()
