"""Reports of a worker: each member and rung, and other epochs now and then."""

import time

import pytest

from ban_ray.runtime import worker_loop
from ban_ray.runtime.events import EpochEnded, Event, Published, Reused


def epoch(number: int) -> EpochEnded:
    return EpochEnded(generation=0, key="k", epochs=10, drop_rung_epoch=9, metrics={"epoch": number})


def test_members_and_rungs_are_always_reported_and_other_epochs_at_most_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reported: list[Event] = []
    report = worker_loop.throttle_reports(reported.append)
    published, reused = Published(generation=0, key="k"), Reused(generation=1, key="l")
    for event in (epoch(1), epoch(2), epoch(9), published, reused, epoch(3)):
        report(event)
    assert reported == [epoch(1), epoch(9), published, reused]
    now += worker_loop.MIN_REPORT_INTERVAL_S
    for event in (epoch(4), epoch(5)):
        report(event)
    assert reported[4:] == [epoch(4)]
