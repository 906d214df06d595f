"""Sockets that killed searches left in the temporary directory."""

import os
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Listener
from pathlib import Path

import pytest

from ban_ray.runtime.report_channel import ReportServer, remove_abandoned

HOUR_S = 3600


def aged(folder: Path) -> Path:
    past = time.time() - HOUR_S
    os.utime(folder, (past, past))
    return folder


@pytest.fixture
def parent() -> Iterator[Path]:
    """A folder whose name is short enough for the path of a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_only_what_nobody_listens_at_is_removed(parent: Path) -> None:
    abandoned, empty, listening, young, foreign = (parent / f"ban_ray-{name}" for name in "abcde")
    for folder in (abandoned, empty, listening, young, foreign):
        folder.mkdir()
    Listener(str(abandoned / "reports"), family="AF_UNIX")._listener._unlink.cancel()  # type: ignore[attr-defined]
    (foreign / "notes.txt").write_text("somebody else's")
    with Listener(str(listening / "reports"), family="AF_UNIX"):
        for folder in (abandoned, empty, listening, foreign):
            aged(folder)
        remove_abandoned(parent)
    assert {folder.name[-1] for folder in parent.iterdir()} == {"c", "d", "e"}


def test_a_server_starts_by_it(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(parent))
    (parent / "ban_ray-killed").mkdir()
    aged(parent / "ban_ray-killed")
    with ReportServer(lambda record: None):
        assert len(list(parent.glob("ban_ray-*"))) == 1
    assert not list(parent.glob("ban_ray-*"))
