"""Events on their way through Ray Train and Ray Tune: each comes back as it was."""

import json
import math

import pytest
from pydantic import ValidationError

from ban_ray.runtime.events import (
    ChainEnded,
    EpochEnded,
    Event,
    GenerationEvent,
    JobAddress,
    JobSubmitted,
    Published,
    Reused,
    Waiting,
    event_from_result,
    event_to_result,
)

KEY = "0" * 64
EVENTS: list[Event] = [
    EpochEnded(
        generation=1, key=KEY, epochs=10, drop_rung_epoch=9, metrics={"epoch": 9, "held_out_error": 12.5, "loss": None}
    ),
    EpochEnded(generation=0, key=KEY, epochs=10, metrics={"epoch": 3, "loss": 0.1 + 0.2, "name": "é"}),
    Published(generation=2, key=KEY, epochs=10, metrics={"held_out_error": None, "test_error": 3.25}),
    Published(generation=2, key=KEY),
    Reused(generation=0, key=KEY, metrics={"test_error": 3.25}),
    Waiting(key=KEY),
    JobSubmitted(address=JobAddress(job_id="s-1", mailbox_name="s-0a")),
    ChainEnded(status="done"),
    ChainEnded(status="failed", key=KEY, message="its loss is not finite"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_comes_back_with_its_type(event: Event) -> None:
    record = event_to_result(event)
    assert event_from_result(json.loads(json.dumps(record))) == event
    assert type(event_from_result(record)) is type(event)
    # Tune flattens nested dictionaries and adds fields of its own.
    assert all(isinstance(value, str) for value in record.values())
    assert event_from_result({**record, "time_total_s": 1.5, "done": False}) == event


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_come_back(value: float) -> None:
    event = event_from_result(
        event_to_result(Published(generation=0, key=KEY, metrics={"loss": value, "held_out_error": None}))
    )
    assert isinstance(event, Published)
    assert event.metrics["held_out_error"] is None
    assert event.metrics["loss"] == value or (math.isnan(value) and math.isnan(event.metrics["loss"]))


def test_a_record_without_an_event_has_none() -> None:
    assert event_from_result({}) is None
    assert event_from_result({"time_total_s": 1.5}) is None


def test_an_unknown_event_or_field_is_refused() -> None:
    for text in ('{"kind": "other"}', '{"kind": "waiting", "key": "k", "for": "k"}', '{"key": "k"}'):
        with pytest.raises(ValidationError):
            event_from_result({"event": text})


def test_an_epoch_is_at_the_rung_or_not() -> None:
    at_rung, elsewhere, *others = [event for event in EVENTS if isinstance(event, GenerationEvent)]
    assert isinstance(at_rung, EpochEnded) and isinstance(elsewhere, EpochEnded)
    assert (at_rung.epoch, at_rung.is_at_drop_rung) == (9, True)
    assert (elsewhere.epoch, elsewhere.is_at_drop_rung) == (3, False), "a generation without a rung has none"
    assert not any(isinstance(event, EpochEnded) for event in others)
