"""Checkpoints beside training: no step waits for the storage, and what is written is the state as it was."""

import errno
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ban_ray.population import LocalStorage, checkpoints
from ban_ray.runtime.worker import checkpointer as checkpointing
from ban_ray.runtime.worker.checkpointer import AsyncCheckpointer
from ban_ray.training.checkpoint import from_bytes, to_bytes

KEY = "1" * 64
FULL = OSError(errno.ENOSPC, "No space left on device")


class Slow(LocalStorage):
    """Writes nothing until it is let go, and then fails where it shall."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.free = threading.Event()
        self.error: OSError | None = None

    def write(self, path: str, data: bytes) -> None:
        assert self.free.wait(60)
        if self.error is not None:
            raise self.error
        super().write(path, data)


@pytest.fixture
def storage(tmp_path: Path) -> Slow:
    return Slow(tmp_path / "storage")


def state(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "model": {"weight": torch.full((3,), float(epoch))}, "history": [{"epoch": epoch}]}


def written(storage: Slow) -> list[int]:
    return sorted(epoch for epoch, _ in checkpoints.newest_first(storage, KEY))


def await_writer(checkpointer: AsyncCheckpointer) -> None:
    assert checkpointer._writing is not None
    checkpointer._writing.exception(timeout=60)


def test_a_slow_storage_is_not_waited_for(storage: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "MAX_COPY_TIME_FRACTION", 1e9)
    with AsyncCheckpointer(storage, KEY, "run") as checkpointer:
        assert checkpointer.save_if_due(state(1))
        assert not checkpointer.save_if_due(state(2))
        assert not checkpointer.save_if_due(state(3))
        storage.free.set()
        await_writer(checkpointer)
        assert checkpointer.save_if_due(state(4))
    assert written(storage) == [1, 4], "and leaving waits for the last one"


def test_one_that_is_wanted_at_once_is_there_at_once(storage: Slow) -> None:
    storage.free.set()
    with AsyncCheckpointer(storage, KEY, "run") as checkpointer:
        for epoch in (1, 2):
            checkpointer.save_and_wait(state(epoch))
            assert written(storage)[-1] == epoch
        storage.error = FULL
        with pytest.raises(OSError, match="No space left"):
            checkpointer.save_and_wait(state(3))


def test_it_is_the_state_as_it_was(storage: Slow) -> None:
    changing = state(1)
    with AsyncCheckpointer(storage, KEY, "run") as checkpointer:
        checkpointer.save_if_due(changing)
        changing["model"]["weight"].add_(1)
        changing["history"].append({"epoch": 2})
        storage.free.set()
    ((_, data),) = checkpoints.newest_first(storage, KEY)
    found = from_bytes(data)
    assert torch.equal(found["model"]["weight"], torch.ones(3))
    assert found["history"] == [{"epoch": 1}]


def test_states_cost_a_small_share_of_the_time(storage: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    def costly(given: dict[str, Any]) -> bytes:
        time.sleep(0.02)
        return to_bytes(given)

    monkeypatch.setattr(checkpointing, "to_bytes", costly)
    storage.free.set()
    began = time.monotonic()
    with AsyncCheckpointer(storage, KEY, "run") as checkpointer:
        assert checkpointer.save_if_due(state(1))
        await_writer(checkpointer)
        epoch = 1
        while not checkpointer.save_if_due(state(epoch := epoch + 1)):
            time.sleep(0.01)
    assert time.monotonic() - began > 0.02 / checkpointing.MAX_COPY_TIME_FRACTION
    assert written(storage) == [1, epoch]


def test_a_full_disk_ends_the_training_at_the_next_epoch(storage: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "MAX_COPY_TIME_FRACTION", 1e9)
    storage.error = FULL
    storage.free.set()
    with pytest.raises(OSError, match="No space left"), AsyncCheckpointer(storage, KEY, "run") as checkpointer:
        checkpointer.save_if_due(state(1))
        await_writer(checkpointer)
        checkpointer.save_if_due(state(2))


def test_after_the_last_epoch_it_is_only_told(storage: Slow, caplog: pytest.LogCaptureFixture) -> None:
    """A member may still have room where a checkpoint had none."""
    storage.error = FULL
    storage.free.set()
    with caplog.at_level(logging.WARNING), AsyncCheckpointer(storage, KEY, "run") as checkpointer:
        checkpointer.save_if_due(state(1))
    assert "No space left" in caplog.text
    assert written(storage) == []
