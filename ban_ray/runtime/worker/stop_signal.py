"""Requests to stop a job, which all workers of a group follow at the same point, before a step or a generation."""

import threading
from collections.abc import Callable

STOP_POINT_AFTER_END = 2**62
"""The stop point of a worker whose job has ended, beyond all others."""


class JobStopped(Exception):
    """The current job was stopped by request."""


class StopSignal:
    """Stops a worker's current job; `request_stop` is called from another thread than the rest.

    A stop point is a point between two steps, numbered from 1 within a job.

    Workers wait for each other within a step, so they may only stop at the same one. Each reports which stop point it
    has reached, and all stop after the furthest one: a worker cannot go back, but the others can catch up.

    Args:
        agree_on_last_stop_point: returns the furthest stop point of all workers, given a job's id and this worker's
            stop_point; blocks until every worker has called it.
    """

    def __init__(
        self, agree_on_last_stop_point: Callable[[str, int], int] = lambda job_id, stop_point: stop_point
    ) -> None:
        self._agree_on_last_stop_point = agree_on_last_stop_point
        self._job_id, self._stop_point = "", 0
        self._requested: set[str] = set()
        self._ended: set[str] = set()
        self._last_stop_points: dict[str, int] = {}
        self._condition = threading.Condition()

    def begin_job(self, job_id: str) -> None:
        """Begin a job: its stop points are counted from here."""
        self._stop_point = 0
        self._job_id = job_id

    def end_job(self) -> None:
        """End the current job; a later request to stop it finds this worker beyond every stop point."""
        self._ended.add(self._job_id)

    def pass_stop_point(self) -> None:
        """Count a stop point of the job; every worker calls this equally often.

        If the job is to stop, it first waits until all workers have agreed on their last stop point.

        Raises:
            JobStopped: the job was asked to stop, and no worker goes further.
        """
        # A request reads the stop point after it is visible here, so one of the two sees the other.
        self._stop_point += 1
        if self._job_id not in self._requested:
            return
        with self._condition:
            self._condition.wait_for(lambda: self._job_id in self._last_stop_points)
        if self._stop_point > self._last_stop_points[self._job_id]:
            raise JobStopped(self._job_id)

    def request_stop(self, job_id: str) -> None:
        """Stop the job of this id, whether it is current, past, or yet to come; a second request changes nothing."""
        if job_id in self._requested:
            return
        self._requested.add(job_id)
        stop_point = self._stop_point if job_id == self._job_id else 0
        last_stop_point = self._agree_on_last_stop_point(
            job_id, STOP_POINT_AFTER_END if job_id in self._ended else stop_point
        )
        with self._condition:
            self._last_stop_points[job_id] = last_stop_point
            self._condition.notify_all()
