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
from collections.abc import Callable
from multiprocessing.connection import Client, Listener
from types import TracebackType
from typing import Any, Self

ReportFunction = Callable[[dict[str, Any]], None]

_BACKLOG = 64


class ReportServer:
    """Receives reports while it is entered, and passes them on one after the other from a thread of its own.

    When it is left, everything that was sent before has been passed on.

    Attributes:
        address: what `send` needs.
    """

    def __init__(self, report: ReportFunction) -> None:
        # Only this user can enter the folder, so nobody else can connect; the path of a socket must be short.
        self._folder = tempfile.mkdtemp(prefix="ban_ray-", dir="/tmp" if len(tempfile.gettempdir()) > 70 else None)
        self.address = f"{self._folder}/reports"
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
            # How Tune ends a trial that it stops: from within its report.
            return

    def _next(self) -> bytes:
        """The next report; the empty one is the last."""
        while True:
            with self._listener.accept() as connection:
                try:
                    return connection.recv_bytes()
                except (EOFError, OSError):
                    # Its sender died half-way.
                    continue


def send(address: str, record: dict[str, Any]) -> None:
    """Deliver a report of JSON values; where nobody receives any more, it is dropped."""
    try:
        _connect(address, json.dumps(record).encode())
    except OSError:
        # The driver has ended, and its run is about to be.
        return


def _connect(address: str, data: bytes) -> None:
    with Client(address, family="AF_UNIX") as connection:
        connection.send_bytes(data)
