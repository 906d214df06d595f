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
        agree: given a job's id and this worker's border, the furthest border of all workers; blocks until each has
            told its own.
    """

    def __init__(self, agree: Callable[[str, int], int] = lambda job_id, border: border) -> None:
        self._agree = agree
        self._job_id, self._border = "", 0
        self._requested: set[str] = set()
        self._ended: set[str] = set()
        self._last_border: dict[str, int] = {}
        self._agreed = threading.Condition()

    def begin(self, job_id: str) -> None:
        """A job begins."""
        self._border = 0
        self._job_id = job_id

    def end(self) -> None:
        """The job has ended."""
        self._ended.add(self._job_id)

    def check(self) -> None:
        """Called at each border of the job, which are the same for all workers.

        Raises:
            JobStopped: the job was asked to stop, and no worker goes further.
        """
        # A request reads the border after it is visible here, so one of the two sees the other.
        self._border += 1
        if self._job_id not in self._requested:
            return
        with self._agreed:
            self._agreed.wait_for(lambda: self._job_id in self._last_border)
        if self._border > self._last_border[self._job_id]:
            raise JobStopped(self._job_id)

    def request(self, job_id: str) -> None:
        """Stop the job of this id, whether it is current, past, or yet to come; a second request changes nothing."""
        if job_id in self._requested:
            return
        self._requested.add(job_id)
        border = self._border if job_id == self._job_id else 0
        last_border = self._agree(job_id, AFTER_THE_END if job_id in self._ended else border)
        with self._agreed:
            self._last_border[job_id] = last_border
            self._agreed.notify_all()
