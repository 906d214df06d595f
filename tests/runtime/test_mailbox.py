"""The way of jobs to workers and of events back: in order, stopped where asked, ended with the run."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ban_ray.runtime import mailbox as mailboxes
from ban_ray.runtime.mailbox import JobMailbox
from ban_ray.runtime.messages import JobResult

DONE = JobResult(status="done").model_dump_json()
STOPPED = JobResult(status="stopped")


def parsed(result: str | None) -> JobResult:
    assert result is not None
    return JobResult.model_validate_json(result)


def in_loop(scenario: Callable[[JobMailbox], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scenario(JobMailbox()), 20)

    asyncio.run(run())


async def settled(*tasks: "asyncio.Task[Any]") -> list[bool]:
    """Which tasks are done when nothing more happens by itself."""
    await asyncio.sleep(0.05)
    return [task.done() for task in tasks]


def test_a_job_goes_to_every_worker_and_its_events_and_result_come_back() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        # Calls may overtake each other.
        events = asyncio.create_task(mailbox.next_events("a"))
        workers = [asyncio.create_task(mailbox.next_job(0)) for _ in range(2)]
        assert await settled(events, *workers) == [False, False, False]
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        assert [await worker for worker in workers] == ["job a", "job a"]
        await mailbox.add_event("a", {"epoch": 1})
        assert await events == [{"epoch": 1}]
        await mailbox.add_event("a", {"epoch": 2})
        await mailbox.add_event("a", {"epoch": 3})
        await mailbox.set_result("a", DONE)
        assert await trained == DONE
        assert await mailbox.next_events("a") == [{"epoch": 2}, {"epoch": 3}]
        assert await mailbox.next_events("a") == []
        following = asyncio.create_task(mailbox.next_job(1))
        assert await settled(following) == [False]
        await mailbox.add_event("a", {"epoch": "late"})
        events = asyncio.create_task(mailbox.next_events("b"))
        again = asyncio.create_task(mailbox.submit_and_wait("b", "job b"))
        assert await following == "job b"
        assert await settled(again, events) == [False, False], "no event of another job"

    in_loop(scenario)


def test_a_job_that_no_worker_has_taken_is_withdrawn() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        await settled()
        await mailbox.stop_job("a")
        assert parsed(await trained) == STOPPED
        assert await mailbox.next_events("a") == []
        asyncio.create_task(mailbox.submit_and_wait("b", "job b"))  # noqa: RUF006
        assert await mailbox.next_job(0) == "job b"

    in_loop(scenario)


def test_a_request_that_comes_before_its_job_holds() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        stopped = asyncio.create_task(mailbox.stop_job("a"))
        assert await settled(stopped) == [False]
        assert parsed(await mailbox.submit_and_wait("a", "job a")) == STOPPED
        await stopped

    in_loop(scenario)


def test_workers_stop_after_the_furthest_stop_point() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        await mailbox.next_job(0)
        stop = asyncio.create_task(mailbox.stop_job("a"))
        assert await mailbox.next_stop_request(0) == "a"
        first = asyncio.create_task(mailbox.agree_on_last_stop_point("a", 0, 7, 2))
        assert await settled(first, stop, trained) == [False, False, False]
        assert await mailbox.agree_on_last_stop_point("a", 1, 8, 2) == 8
        assert await first == 8
        await mailbox.set_result("a", STOPPED.model_dump_json())
        assert parsed(await trained) == STOPPED
        await stop

    in_loop(scenario)


def test_an_agreed_stop_point_stays_whoever_asks_again() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        await mailbox.next_job(0)
        stops = [asyncio.create_task(mailbox.stop_job("a")) for _ in range(2)]
        assert await mailbox.next_stop_request(0) == "a"
        again = asyncio.create_task(mailbox.next_stop_request(1))
        answers = [
            asyncio.create_task(mailbox.agree_on_last_stop_point("a", rank, stop_point, 2))
            for rank, stop_point in ((0, 7), (1, 5))
        ]
        assert [await answer for answer in answers] == [7, 7]
        assert await mailbox.agree_on_last_stop_point("a", 1, 2**62, 2) == 7
        assert await settled(again) == [False], "it was one request"
        await mailbox.set_result("a", STOPPED.model_dump_json())
        assert parsed(await trained) == STOPPED
        await asyncio.gather(*stops)
        await mailbox.close()
        assert await again is None

    in_loop(scenario)


def test_workers_are_answered_about_a_job_that_they_never_had() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        await settled()
        await mailbox.stop_job("a")
        assert parsed(await trained) == STOPPED
        assert await mailbox.next_stop_request(0) == "a"
        assert await mailbox.agree_on_last_stop_point("a", 1, 0, 2) == 0

    in_loop(scenario)


def test_workers_that_do_not_answer_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "STOP_TIMEOUT_S", 0.1)

    async def scenario(mailbox: JobMailbox) -> None:
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        await mailbox.next_job(0)
        await mailbox.stop_job("a")
        assert parsed(await trained) == JobResult(status="stopped", is_unresponsive=True)

    in_loop(scenario)


def test_who_waits_learns_that_the_workers_have_ended() -> None:
    async def scenario(mailbox: JobMailbox) -> None:
        trained = asyncio.create_task(mailbox.submit_and_wait("a", "job a"))
        assert await mailbox.next_job(0) == "job a"
        events, following = asyncio.create_task(mailbox.next_events("a")), asyncio.create_task(mailbox.next_job(1))
        assert await settled(trained, events, following) == [False, False, False]
        await mailbox.close()
        assert (await trained, await events, await following) == (None, [], None)

    in_loop(scenario)
