"""Reports through a socket: in order, from this user alone, and without leftovers of killed searches."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

import pytest

from ban_ray.runtime.report_channel import ReportServer, remove_abandoned, send

HOUR_S = 3600


def test_every_report_arrives_in_order_before_the_server_closes() -> None:
    seen: list[dict[str, Any]] = []

    def slowly(record: dict[str, Any]) -> None:
        time.sleep(0.001)
        seen.append(record)

    with ReportServer(slowly) as server:
        for number in range(300):
            send(server.address, {"number": number, "error": 0.1, "none": None})
    assert [record["number"] for record in seen] == list(range(300))
    assert seen[0] == {"number": 0, "error": 0.1, "none": None}


def test_a_sender_that_dies_half_way_is_passed_over() -> None:
    seen: list[dict[str, Any]] = []
    with ReportServer(seen.append) as server:
        with socket.socket(socket.AF_UNIX) as broken:
            broken.connect(server.address)
            broken.sendall(b"\x00\x00")
        send(server.address, {"number": 1})
    assert seen == [{"number": 1}]


def test_nobody_receives_any_more() -> None:
    with ReportServer(lambda _: None) as server:
        pass
    send(server.address, {"number": 1})
    assert not Path(server.address).parent.exists()


def test_only_this_user_may_connect() -> None:
    with ReportServer(lambda _: None) as server:
        assert Path(server.address).parent.stat().st_mode & 0o077 == 0


def test_a_failing_receiver_does_not_hold_up_the_run() -> None:
    """Tune ends a stopped trial's thread from within its report."""

    def stop(_: dict[str, Any]) -> None:
        raise SystemExit

    before = threading.active_count()
    with pytest.raises(KeyError), ReportServer(stop) as server:
        send(server.address, {})
        raise KeyError
    assert threading.active_count() == before


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
