import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ban_ray.runtime.report_channel import ReportServer, send


def test_every_report_arrives_in_order_before_the_inbox_closes() -> None:
    seen: list[dict[str, Any]] = []

    def slowly(record: dict[str, Any]) -> None:
        time.sleep(0.001)
        seen.append(record)

    with ReportServer(slowly) as inbox:
        for number in range(300):
            send(inbox.address, {"number": number, "error": 0.1, "none": None})
    assert [record["number"] for record in seen] == list(range(300))
    assert seen[0] == {"number": 0, "error": 0.1, "none": None}


def test_a_sender_that_dies_half_way_is_passed_over() -> None:
    import socket

    seen: list[dict[str, Any]] = []
    with ReportServer(seen.append) as inbox:
        with socket.socket(socket.AF_UNIX) as broken:
            broken.connect(inbox.address)
            broken.sendall(b"\x00\x00")
        send(inbox.address, {"number": 1})
    assert seen == [{"number": 1}]


def test_nobody_receives_any_more() -> None:
    with ReportServer(lambda _: None) as inbox:
        pass
    send(inbox.address, {"number": 1})
    assert not Path(inbox.address).parent.exists()


def test_only_this_user_may_connect() -> None:
    with ReportServer(lambda _: None) as inbox:
        assert Path(inbox.address).parent.stat().st_mode & 0o077 == 0


def test_a_failing_receiver_does_not_hold_up_the_run() -> None:
    """Tune ends a stopped trial's thread from within its report."""

    def stop(_: dict[str, Any]) -> None:
        raise SystemExit

    before = threading.active_count()
    with pytest.raises(KeyError), ReportServer(stop) as inbox:
        send(inbox.address, {})
        raise KeyError
    assert threading.active_count() == before
