"""Requests to stop: every worker stops at the same stop_point, wherever each was."""

import threading
import time
from collections.abc import Iterator

import pytest

from ban_ray.runtime.worker.stop_signal import JobStopped, StopSignal


def test_one_worker_stops_at_its_next_stop_point_and_only_in_the_job_that_was_named() -> None:
    stop = StopSignal()
    stop.begin_job("a")
    stop.pass_stop_point()
    stop.request_stop("b")
    stop.pass_stop_point()
    stop.request_stop("a")
    with pytest.raises(JobStopped):
        stop.pass_stop_point()
    stop.end_job()
    stop.begin_job("b")
    with pytest.raises(JobStopped):
        stop.pass_stop_point()
    stop.begin_job("c")
    stop.pass_stop_point()


def test_a_job_that_has_ended_is_not_waited_for() -> None:
    agreed: list[int] = []
    stop = StopSignal(lambda job_id, stop_point: agreed.append(stop_point) or stop_point)  # type: ignore[func-returns-value]
    stop.begin_job("a")
    stop.pass_stop_point()
    stop.end_job()
    stop.request_stop("a")
    assert agreed[0] > 10**9


def test_a_second_request_changes_nothing() -> None:
    agreed: list[int] = []
    stop = StopSignal(lambda job_id, stop_point: agreed.append(stop_point) or stop_point)  # type: ignore[func-returns-value]
    stop.begin_job("a")
    stop.pass_stop_point()
    stop.request_stop("a")
    with pytest.raises(JobStopped):
        stop.pass_stop_point()
    stop.end_job()
    stop.request_stop("a")
    assert agreed == [1]


class Group:
    """Workers that meet in every step, as in a collective call, and agree on stop points as a mailbox does."""

    def __init__(self, workers: int) -> None:
        self.meeting = threading.Barrier(workers)
        self.telling = threading.Barrier(workers)
        self.stop_points: list[int] = [0] * workers
        self.steps: list[int] = [0] * workers

    def agree(self, rank: int, stop_point: int) -> int:
        self.stop_points[rank] = stop_point
        self.telling.wait(10)
        return max(self.stop_points)


def train(group: Group, rank: int, stop: StopSignal, pauses: Iterator[float]) -> None:
    stop.begin_job("a")
    try:
        while True:
            stop.pass_stop_point()
            time.sleep(next(pauses))
            group.meeting.wait(10)
            group.steps[rank] += 1
    except JobStopped:
        stop.end_job()


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.033, 0.05])
def test_workers_that_wait_for_each_other_stop_at_the_same_step(delay_s: float) -> None:
    """One is slower within a step, and learns of the request later or earlier than the other."""
    group = Group(2)

    def pauses(seconds: float) -> Iterator[float]:
        while True:
            yield seconds

    signals = [StopSignal(lambda job_id, stop_point, rank=rank: group.agree(rank, stop_point)) for rank in range(2)]  # type: ignore[misc]
    threads = [
        threading.Thread(target=train, args=(group, rank, signals[rank], pauses(seconds)))
        for rank, seconds in enumerate((0.001, 0.004))
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    requests = [threading.Thread(target=signal.request_stop, args=("a",)) for signal in signals]
    requests[0].start()
    time.sleep(delay_s)
    requests[1].start()
    for thread in (*requests, *threads):
        thread.join(20)
        assert not thread.is_alive()
    assert group.steps[0] == group.steps[1] > 0
