"""The exchange of jobs, events, results and requests to stop between trials, their worker groups and the search.

Imports nothing but the standard library, so that its actor starts in a process that has imported Ray alone.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

STOP_TIMEOUT_S = 10.0
"""A group that does not answer a request to stop within this time is ended by its trial."""


@dataclass
class _Job:
    """A job that was posted.

    Attributes:
        is_taken: whether a worker has received it.
        stop_points: by rank, the stop point at which the worker learned that the job is to stop.
    """

    job_id: str
    job_json: str
    is_taken: bool = False
    stop_points: dict[int, int] = field(default_factory=dict)


class JobMailbox:
    """The jobs, events, results and requests to stop that a trial, the workers of its group and the search exchange.

    Every method runs in one event loop, and calls may overtake each other. Jobs, results and events are JSON.
    """

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._results: dict[str, str] = {}
        self._events: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._stop_requests: list[str] = []
        self._is_closed = False
        self._changed = asyncio.Condition()

    # The trial

    async def submit_and_wait(self, job_id: str, job_json: str) -> str | None:
        """Have the workers train a job.

        Returns:
            The `JobResult`; None if the workers have ended without one.
        """
        if job_id in self._stop_requests:
            self._results[job_id] = _stopped_result()
        else:
            self._jobs.append(_Job(job_id, job_json))
        await self._notify()
        await self._wait_until_ended(job_id)
        return self._results.get(job_id)

    async def next_events(self, job_id: str) -> list[dict[str, Any]]:
        """A job's events since the last call, as soon as there are some; none when the job has ended."""
        await self._wait_until(lambda: job_id in self._events or self._is_closed or job_id in self._results)
        return self._events.pop(job_id, [])

    async def close(self) -> None:
        """Close the mailbox: workers end after their current job, and a result that is still awaited is None."""
        self._is_closed = True
        await self._notify()

    # The search

    async def stop_job(self, job_id: str) -> None:
        """Ask the workers to stop a job between two steps; wait until they have, at most `STOP_TIMEOUT_S` seconds."""
        if job_id not in self._stop_requests:
            self._stop_requests.append(job_id)
        for job in self._jobs:
            if job.job_id == job_id and not job.is_taken:
                self._jobs.remove(job)
                self._results[job_id] = _stopped_result()
                break
        await self._notify()
        try:
            await asyncio.wait_for(self._wait_until_ended(job_id), STOP_TIMEOUT_S)
        except TimeoutError:
            self._results.setdefault(job_id, _stopped_result(is_unresponsive=True))
            await self._notify()

    # The workers

    async def next_job(self, number: int) -> str | None:
        """Wait for the job of this number, counted from 0; None once the mailbox is closed."""
        await self._wait_until(lambda: len(self._jobs) > number or self._is_closed)
        if self._is_closed:
            return None
        self._jobs[number].is_taken = True
        return self._jobs[number].job_json

    async def add_event(self, job_id: str, event: dict[str, Any]) -> None:
        """Keep an event of a job for its trial; rank 0 calls this once its previous event has arrived."""
        self._events[job_id].append(event)
        await self._notify()

    async def set_result(self, job_id: str, result_json: str) -> None:
        """Set the result of a job; rank 0 calls this once its events have arrived."""
        self._results.setdefault(job_id, result_json)
        for job in self._jobs:
            if job.job_id == job_id:
                # Every worker has received it.
                job.job_json = ""
        await self._notify()

    async def next_stop_request(self, number: int) -> str | None:
        """Wait for the request to stop of this number; the id of its job, or None once the mailbox is closed."""
        await self._wait_until(lambda: len(self._stop_requests) > number or self._is_closed)
        return None if self._is_closed else self._stop_requests[number]

    async def agree_on_last_stop_point(self, job_id: str, rank: int, stop_point: int, workers: int) -> int:
        """Agree on the last stop point that the workers pass: the furthest that any of them has reached.

        Returns when every worker of the group has called it.
        """
        job = next((job for job in self._jobs if job.job_id == job_id), None)
        if job is None:
            # It was removed before a worker received it.
            return stop_point
        job.stop_points.setdefault(rank, stop_point)
        await self._notify()
        await self._wait_until(lambda: len(job.stop_points) == workers or self._is_closed)
        return max(job.stop_points.values())

    async def _wait_until_ended(self, job_id: str) -> None:
        await self._wait_until(lambda: job_id in self._results or self._is_closed)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait_until(self, predicate: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(predicate)


def _stopped_result(*, is_unresponsive: bool = False) -> str:
    """The `JobResult` of a stopped job, as JSON."""
    return json.dumps({"status": "stopped", "is_unresponsive": is_unresponsive})
