"""The progress of reading many files, on a terminal alone."""

import time
from contextlib import AbstractContextManager
from typing import Self

import rich.progress

from ban_ray.cli.console import Console

_QUIET_S = 0.5
"""Seconds of work that nobody needs to see."""


class Progress(AbstractContextManager["Progress"]):
    """A bar on a terminal, gone at the end; nothing elsewhere."""

    def __init__(self, title: str, total: int) -> None:
        # On stderr, since stdout belongs to --json.
        console = Console(stderr=True)
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total)
        self._shown_from = time.monotonic() + _QUIET_S

    def advance(self, count: int) -> None:
        """Say that so many more are done."""
        self._bar.advance(self._task, count)
        if time.monotonic() > self._shown_from:
            self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
