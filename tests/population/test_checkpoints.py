"""Checkpoints: the most advanced one that is whole, under whatever claim; old ones dropped."""

from pathlib import Path

import pytest

from ban_ray.population import Population, checkpoints
from ban_ray.storage.base import Storage

KEY = "1" * 64
OTHER = "2" * 64


@pytest.fixture
def storage(population: Population) -> Storage:
    return population.storage


def found(storage: Storage, key: str = KEY) -> list[tuple[int, bytes]]:
    return list(checkpoints.newest_first(storage, key))


def paths(storage: Storage, pattern: str = "*/*.pt") -> list[Path]:
    return sorted(Path(storage.url).glob(f"unfinished/{KEY}/{pattern}"))


def test_none_at_first(storage: Storage) -> None:
    assert found(storage) == []


def test_newest_first_across_claims(storage: Storage) -> None:
    for claim, epoch in (("b", 1), ("b", 2), ("a", 9), ("a", 10), ("c", 3)):
        checkpoints.save(storage, KEY, claim, epoch, f"{claim}{epoch}".encode())
    checkpoints.save(storage, OTHER, "a", 99, b"another generation's")
    assert found(storage) == [(10, b"a10"), (9, b"a9"), (3, b"c3"), (2, b"b2"), (1, b"b1")]


def test_epochs_are_numbers_not_text(storage: Storage) -> None:
    for epoch in (9, 10, 999, 1000):
        checkpoints.save(storage, KEY, f"claim-{epoch}", epoch, b"%d" % epoch)
    assert [epoch for epoch, _ in found(storage)] == [1000, 999, 10, 9]


def test_older_ones_of_the_same_claim_are_dropped(storage: Storage) -> None:
    checkpoints.save(storage, KEY, "other", 1, b"other")
    for epoch in range(1, 15):
        checkpoints.save(storage, KEY, "mine", epoch, b"%d" % epoch)
        assert len(paths(storage, "mine/*")) <= checkpoints.KEPT
    assert found(storage) == [(14, b"14"), (13, b"13"), (1, b"other")]


@pytest.mark.parametrize("data", [b"", b"trunc", b"truncateD", b"truncated "])
def test_a_damaged_one_is_passed_over(storage: Storage, data: bytes) -> None:
    checkpoints.save(storage, KEY, "mine", 1, b"whole")
    checkpoints.save(storage, KEY, "mine", 2, b"truncated")
    paths(storage)[-1].write_bytes(data)
    assert found(storage) == [(1, b"whole")]


def test_one_that_vanishes_is_passed_over(storage: Storage) -> None:
    """Another run published and cleared while this one was reading."""
    checkpoints.save(storage, KEY, "a", 2, b"two")
    checkpoints.save(storage, KEY, "b", 1, b"one")
    reading = checkpoints.newest_first(storage, KEY)
    assert next(reading) == (2, b"two")
    checkpoints.clear(storage, KEY)
    assert list(reading) == []


def test_other_files_are_passed_over(storage: Storage) -> None:
    checkpoints.save(storage, KEY, "mine", 1, b"whole")
    for name in ("epoch-0009.pt", "epoch-9999-xyz.pt", f"epoch-0007-{'0' * 64}.txt", "notes"):
        storage.write(f"unfinished/{KEY}/mine/{name}", b"x")
    storage.write(f"unfinished/{KEY}/file", b"x")
    assert found(storage) == [(1, b"whole")]


def test_the_same_epoch_twice(storage: Storage) -> None:
    """A run that went on from an older checkpoint of its own, since the newer one was damaged."""
    checkpoints.save(storage, KEY, "mine", 1, b"one")
    checkpoints.save(storage, KEY, "mine", 2, b"two")
    damaged = paths(storage)[-1]
    damaged.write_bytes(b"t")
    checkpoints.save(storage, KEY, "mine", 2, b"two")
    assert found(storage) == [(2, b"two"), (1, b"one")]


def test_clear_forgets_this_key_alone(storage: Storage) -> None:
    checkpoints.save(storage, KEY, "mine", 1, b"one")
    checkpoints.save(storage, OTHER, "mine", 1, b"other")
    checkpoints.clear(storage, KEY)
    checkpoints.clear(storage, KEY)
    assert found(storage) == []
    assert found(storage, OTHER) == [(1, b"other")]
