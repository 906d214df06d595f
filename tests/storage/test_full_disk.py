"""A disk that fills while a member is published."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ban_ray.population import Population, checkpoints, open_storage, publish
from ban_ray.population.maintenance.verify import verify
from tests.helpers.members import generation, predictions
from tests.helpers.small_disk import mounted

DISK_BYTES = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", DISK_BYTES) as place:
        yield place


def contents(values: int) -> dict[str, Any]:
    return {
        "weights": {"weight": np.ones(values, np.float32)},
        "predictions": predictions(count=2000),
        "history": [{"epoch": 1, "loss": 1.5}],
        "teachers": {},
        "parameters": values,
        "provenance": {},
    }


@pytest.mark.parametrize(
    ("pages", "written"),
    [
        (50, []),
        (110, ["weights"]),
        (118, ["predictions", "weights"]),
        (119, ["history", "predictions", "weights"]),
    ],
)
def test_it_fills_during_publication(disk: Path, pages: int, written: list[str]) -> None:
    """The weights take 98 pages of memory, the predictions 20, the history and the record 1 each."""
    population = Population(open_storage(str(disk / "storage")))
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free(disk) - pages * PAGE))
    spec = generation()
    with pytest.raises(OSError, match="No space left on device") as caught:
        publish(population, spec, **contents(100_000))
    assert caught.value.errno == errno.ENOSPC
    files = [file.name for file in (disk / "storage").rglob("*") if file.is_file()]
    assert "member.json" not in files
    assert sorted(name.partition("-")[0] for name in files) == written, "no scratch files"
    assert spec.key not in population
    assert population.get(spec.key) is None
    assert population.records() == list(population) == []

    ballast.unlink()
    member = publish(population, spec, **contents(100_000))
    assert population[spec.key] == member
    assert verify(population, grace_s=0).findings == ()


def test_it_fills_during_a_checkpoint(disk: Path) -> None:
    storage = open_storage(str(disk / "storage"))
    key = "0" * 64
    checkpoints.save(storage, key, "run", 1, bytes(300_000))
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.save(storage, key, "run", 2, bytes(900_000))
    assert [epoch for epoch, _ in checkpoints.newest_first(storage, key)] == [1]
    assert storage.free_bytes() == free(disk)


def free(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize
