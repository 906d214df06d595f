"""Jobs on their way from trials to the workers of their groups, and what the workers send back.

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
NO_ANSWER = "its workers did not answer a request to stop"


class JobBroker:
    """The actor of a search that holds the mailbox of each worker group; `start_broker` starts it."""

    def __init__(self) -> None:
        self._mailboxes: defaultdict[str, JobMailbox] = defaultdict(JobMailbox)

    async def call(self, mailbox: str, method: str, *arguments: Any) -> Any:
        """Call a method of the `JobMailbox` of this name."""
        return await getattr(self._mailboxes[mailbox], method)(*arguments)


@dataclass
class _Job:
    """A job that was posted.

    Attributes:
        is_taken: whether a worker has been given it.
        borders: by rank, the border at which the worker learned that the job is to stop.
    """

    run: str
    text: str
    is_taken: bool = False
    borders: dict[int, int] = field(default_factory=dict)


class JobMailbox:
    """What a trial, the workers of its group and the search exchange.

    Every method runs in one event loop, and calls may overtake each other. Jobs, results and events are JSON.
    """

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._results: dict[str, str] = {}
        self._events: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._stops: list[str] = []
        self._closed = False
        self._changed = asyncio.Condition()

    # The trial

    async def train(self, run: str, job: str) -> str | None:
        """Have the workers train a job.

        Returns:
            The `JobResult`; None if the workers have ended without one.
        """
        if run in self._stops:
            self._results[run] = _stopped()
        else:
            self._jobs.append(_Job(run, job))
        await self._notify()
        await self._until_ended(run)
        return self._results.get(run)

    async def receive(self, run: str) -> list[dict[str, Any]]:
        """A job's events since the last call, as soon as there are some; none when the job has ended."""
        await self._until(lambda: run in self._events or self._closed or run in self._results)
        return self._events.pop(run, [])

    async def close(self) -> None:
        """No further job comes: workers end in order, and who waits for a result gets none."""
        self._closed = True
        await self._notify()

    # The search

    async def stop(self, run: str) -> None:
        """Ask the workers to stop a job at the end of a step, and wait until they have or time is up."""
        if run not in self._stops:
            self._stops.append(run)
        for job in self._jobs:
            if job.run == run and not job.is_taken:
                self._jobs.remove(job)
                self._results[run] = _stopped()
                break
        await self._notify()
        try:
            await asyncio.wait_for(self._until_ended(run), STOP_TIMEOUT_S)
        except TimeoutError:
            self._results.setdefault(run, _stopped(NO_ANSWER))
            await self._notify()

    # The workers

    async def next_job(self, number: int) -> str | None:
        """The job of this number, when there is one; None when there will be none."""
        await self._until(lambda: len(self._jobs) > number or self._closed)
        if self._closed:
            return None
        self._jobs[number].is_taken = True
        return self._jobs[number].text

    async def send(self, run: str, event: dict[str, Any]) -> None:
        """An event of a job, by rank 0, which waits until the one before has arrived."""
        self._events[run].append(event)
        await self._notify()

    async def finish(self, run: str, result: str) -> None:
        """The result of a job, by rank 0, when its events have arrived."""
        self._results.setdefault(run, result)
        for job in self._jobs:
            if job.run == run:
                # Every worker has taken it.
                job.text = ""
        await self._notify()

    async def next_stop(self, number: int) -> str | None:
        """The run of the request to stop that has this number, when there is one; None when there will be none."""
        await self._until(lambda: len(self._stops) > number or self._closed)
        return None if self._closed else self._stops[number]

    async def last_border(self, run: str, rank: int, border: int, workers: int) -> int:
        """Agree on the last border that each worker passes: the furthest that one of them has come to."""
        job = next((job for job in self._jobs if job.run == run), None)
        if job is None:
            # It was withdrawn before a worker had it.
            return border
        job.borders.setdefault(rank, border)
        await self._notify()
        await self._until(lambda: len(job.borders) == workers or self._closed)
        return max(job.borders.values())

    async def _until_ended(self, run: str) -> None:
        await self._until(lambda: run in self._results or self._closed)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, predicate: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(predicate)


def _stopped(message: str = "") -> str:
    return json.dumps({"status": "stopped", "message": message})
