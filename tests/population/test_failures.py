"""Failures: a loss that is not finite holds for everyone, anything else for the search that met it."""

import pytest

from ban_ray.population import Population, failures
from ban_ray.storage.base import Storage

KEY = "1" * 64


@pytest.fixture
def storage(population: Population) -> Storage:
    return population.storage


def test_none_at_first(storage: Storage) -> None:
    assert failures.lookup(storage, KEY, "search") is None


def test_not_finite_holds_for_every_search(storage: Storage) -> None:
    failures.record(storage, KEY, "non-finite", "the loss is not finite", "one")
    for search in ("one", "another", ""):
        found = failures.lookup(storage, KEY, search)
        assert found is not None
        assert (found.reason, found.sentence) == ("non-finite", "the loss is not finite")
    assert failures.lookup(storage, "2" * 64, "one") is None


@pytest.mark.parametrize("reason", ["out-of-memory", "unusable", "storage", "error"])
def test_anything_else_holds_for_its_own_search(storage: Storage, reason: failures.FailureReason) -> None:
    failures.record(storage, KEY, reason, "a sentence", "one")
    found = failures.lookup(storage, KEY, "one")
    assert found is not None
    assert found.sentence == "a sentence"
    for search in ("another", "", "on", "one "):
        assert failures.lookup(storage, KEY, search) is None


def test_the_last_one_holds(storage: Storage) -> None:
    failures.record(storage, KEY, "out-of-memory", "first", "one")
    failures.record(storage, KEY, "out-of-memory", "second", "two")
    assert failures.lookup(storage, KEY, "one") is None
    found = failures.lookup(storage, KEY, "two")
    assert found is not None
    assert found.sentence == "second"


def test_forget(storage: Storage) -> None:
    failures.record(storage, KEY, "non-finite", "a sentence", "one")
    failures.forget(storage, KEY)
    failures.forget(storage, KEY)
    assert failures.lookup(storage, KEY, "one") is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"reason":1}', b"NaN"])
def test_a_damaged_record_is_none(storage: Storage, data: bytes) -> None:
    storage.write(f"failures/{KEY}.json", data)
    assert failures.lookup(storage, KEY, "one") is None
