"""Reports on their way from a Ray Train run to the trial that started it.

Train's controller runs on the node of its driver, so a socket of that node carries them. Ray's own way between the
two, `TuneReportCallback`, takes an actor process for each chain, and blocks for ever when the trial's function
reports while the run's last report is still under way (`_TrainSession._get_result_from_queues` then puts into a full
queue that only it empties).
"""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Client, Listener
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ReportFunction = Callable[[dict[str, Any]], None]

_BACKLOG = 64
_PREFIX = "ban_ray-"
_SOCKET = "reports"
_ABANDONED_S = 60.0
"""A folder without a listening socket is removed after this time: its server was killed, not just starting."""


class ReportServer:
    """Receives reports while it is entered, and calls a function with each from a thread of its own.

    Leaving it waits until every report that was sent before has been passed on.

    Attributes:
        address: the address that `send` takes.
    """

    def __init__(self, report: ReportFunction) -> None:
        # Only this user can enter the folder, so nobody else can connect; the path of a socket must be short.
        parent = "/tmp" if len(tempfile.gettempdir()) > 70 else tempfile.gettempdir()
        remove_abandoned(Path(parent))
        self._folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        self.address = f"{self._folder}/{_SOCKET}"
        self._report = report
        self._listener = Listener(self.address, family="AF_UNIX", backlog=_BACKLOG)
        self._thread = threading.Thread(target=self._receive, name="reports", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _connect(self.address, b"")
        self._thread.join()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _receive(self) -> None:
        try:
            while data := self._next():
                self._report(json.loads(data))
        except SystemExit:
            # Tune ends a trial that it stops from within its report.
            return

    def _next(self) -> bytes:
        """The next report; the empty one is the last."""
        while True:
            with self._listener.accept() as connection:
                try:
                    return connection.recv_bytes()
                except (EOFError, OSError):
                    # The sender died before it had sent everything.
                    continue


def send(address: str, record: dict[str, Any]) -> None:
    """Deliver a report of JSON values; it is dropped if its server has ended."""
    try:
        _connect(address, json.dumps(record).encode())
    except OSError:
        # The driver has ended, and its run is about to end.
        return


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of servers that were killed: nobody listens at their sockets."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < _ABANDONED_S or {file.name for file in folder.iterdir()} - {
                _SOCKET
            }:
                continue
            with Client(str(folder / _SOCKET), family="AF_UNIX"):
                # A server passes over a connection without a report.
                continue
        except (ConnectionRefusedError, FileNotFoundError):
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            # Another user's, or not a folder.
            continue


def _connect(address: str, data: bytes) -> None:
    with Client(address, family="AF_UNIX") as connection:
        connection.send_bytes(data)
