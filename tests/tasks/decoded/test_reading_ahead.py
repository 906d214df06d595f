"""Batches that threads read ahead: the same rows, errors as errors, and no thread that is left."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ban_ray.tasks.decoded.image_file import ArrayRows, ImageRows, Indices, Pixels, Shape
from ban_ray.tasks.decoded.memory import BUFFERS
from ban_ray.tasks.decoded.reading_ahead import READERS, read_ahead
from tests.conftest import CPU

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 4, 5, 3), dtype=np.uint8)
BATCHES = [np.random.default_rng(number).integers(0, 50, 7 if number else 3) for number in range(11)]


class Watched(ImageRows):
    """Counts what is read, in some time of its own, and fails at one batch."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.shape: Shape = IMAGES.shape
        self.started: list[int] = []
        self._fails_at = fails_at

    def read(self, rows: Indices, out: Pixels) -> None:
        number = next(number for number, batch in enumerate(BATCHES) if batch is rows)
        self.started.append(number)
        # The slower ones first, so that a reader overtakes another.
        time.sleep(0.02 if number % 2 == 0 else 0.001)
        if number == self._fails_at:
            raise OSError(5, "Input/output error", "images.npy")
        ArrayRows(IMAGES).read(rows, out)


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


@pytest.mark.parametrize("count", [0, 1, 2, BUFFERS, len(BATCHES)])
def test_the_same_rows_in_the_same_order(count: int) -> None:
    seen = [batch.clone() for batch in read_ahead(Watched(), BATCHES[:count], CPU)]
    assert len(seen) == count
    for images, rows in zip(seen, BATCHES[:count], strict=True):
        assert torch.equal(images, torch.from_numpy(IMAGES[rows]))
    assert not readers()


def test_few_batches_are_read_ahead() -> None:
    source = Watched()
    for number, _ in enumerate(read_ahead(source, BATCHES, CPU)):
        time.sleep(0.05)
        assert max(source.started) <= number + BUFFERS - 2
    assert 1 < READERS < BUFFERS


def test_a_batch_is_whole_until_the_next_one_is_asked_for() -> None:
    batches = read_ahead(Watched(), BATCHES, CPU)
    for images, rows in zip(batches, BATCHES, strict=True):
        time.sleep(0.03)
        assert torch.equal(images, torch.from_numpy(IMAGES[rows]))


@pytest.mark.parametrize("fails_at", [0, 4, len(BATCHES) - 1])
def test_an_error_comes_where_its_batch_is_asked_for(fails_at: int) -> None:
    batches = read_ahead(Watched(fails_at), BATCHES, CPU)
    for _ in range(fails_at):
        next(batches)
    with pytest.raises(OSError, match=r"Input/output error: 'images.npy'"):
        next(batches)
    assert not readers()


def test_the_threads_end_with_a_loop_that_is_left(tmp_path: Path) -> None:
    def train() -> None:
        for number, _ in enumerate(read_ahead(Watched(), BATCHES, CPU)):
            assert readers()
            if number == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        train()
    assert caught.traceback, "which still knows the frame"
    assert not readers()
