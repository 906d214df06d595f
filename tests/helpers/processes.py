"""Processes of a command, found among those of this machine, so that no other cluster on it is touched."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "BAN_RAY_TEST_RUN"
"""A variable of the environment that every process of a command inherits."""


def descendants(root: int) -> Iterator[tuple[int, str]]:
    """Process ids and command lines below a process, so that no other cluster on the machine is touched."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            waiting.append(child)
            try:
                yield child, Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue


def started_by(token: str) -> list[int]:
    """Living processes that have inherited a mark in their environment, whatever became of their parents."""
    marked = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                is_marked = f"{MARK}={token}".encode() in (entry / "environ").read_bytes().split(b"\0")
                dead = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if is_marked and not dead:
                marked.append(int(entry.name))
    return marked


def await_none(token: str) -> None:
    """A command that has ended leaves no process, which a few seconds are allowed to show."""
    deadline = time.monotonic() + 10
    while alive := started_by(token):
        assert time.monotonic() < deadline, f"processes are left: {alive}"
        time.sleep(0.2)


def kill_all(token: str) -> None:
    """Orphans of a killed cluster go on for about a second."""
    while alive := started_by(token):
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)
