"""Several processes of a node open the same data at once."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ban_ray.errors import UserError
from ban_ray.tasks import cache, opening
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.source import Source
from tests.helpers.image_files import open_images, random_pictures, write_images

PICTURES = random_pictures(20, classes=2, side=16)

OPEN = """
import sys, time
from ban_ray.tasks.readers import image_decoding as encoded
from ban_ray.tasks.readers import image_folder as folder
from ban_ray.tasks import opening as load
from ban_ray.tasks.source import Source
read = folder.read
folder.read = lambda *given: (print("decoded"), time.sleep(0.5), read(*given))[2]
print("ready", flush=True)
input()
print(load.open_source(Source.of("folder", sys.argv[1], image_size=16)).fingerprint)
"""
HOLD = "import sys, time\nfrom ban_ray.tasks.cache import node_lock\n" + (
    "with node_lock(sys.argv[1]):\n print('held', flush=True)\n time.sleep(600)\n"
)


def start(script: str, argument: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, argument]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_one_process_decodes_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "data", PICTURES, PICTURES[:5], names=("a", "b"))
    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path / "cache"))
    running = [start(OPEN, str(tmp_path / "data")) for _ in range(3)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    lines = [line for process in running for line in process.communicate()[0].split()]
    assert [process.returncode for process in running] == [0] * 3
    assert lines.count("decoded") == 1
    names = set(lines) - {"decoded"}
    assert len(names) == 1
    assert {entry.name for entry in (tmp_path / "cache").iterdir()} == {*names, "sources", "locks"}


def test_a_dead_holder_does_not_block_and_a_hung_one_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path))
    holder = start(HOLD, "work")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    monkeypatch.setattr(cache, "LOCK_WAIT_S", 0.2)
    began = time.monotonic()
    with cache.node_lock("work"):
        assert time.monotonic() - began >= 0.2
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    monkeypatch.setattr(cache, "LOCK_WAIT_S", 60.0)
    began = time.monotonic()
    with cache.node_lock("work"):
        assert time.monotonic() - began < 30


def test_two_at_once_end_with_one_whole_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lock the slower one finds the other's files where its own should go."""
    data = write_images(tmp_path / "data", PICTURES, PICTURES[:5], names=("a", "b"))
    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path / "cache"))
    source = Source.of("folder", str(data), image_size=16)
    real = np.save
    inner: list[ImageDataset] = []

    def save(*given: Any) -> None:
        monkeypatch.setattr(np, "save", real)
        inner.append(open_images(source))
        real(*given)

    monkeypatch.setattr(opening, "node_lock", nullcontext)
    monkeypatch.setattr(np, "save", save)
    outer = open_images(source)
    assert outer.fingerprint == inner[0].fingerprint
    assert np.array_equal(outer.train.images, inner[0].train.images)
    assert not list((tmp_path / "cache").glob(".decoding-*"))


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"decoded data cannot be kept in .*BAN_RAY_CACHE names another folder"):
        open_images(Source.of("digits"))


def test_files_with_another_fingerprint_are_refused(tmp_path: Path) -> None:
    data = write_images(tmp_path, PICTURES, PICTURES[:5], names=("a", "b"))
    with pytest.raises(UserError, match="not 000000000000 as when the search was planned"):
        open_images(Source.of("folder", str(data), image_size=16), "0" * 64)
