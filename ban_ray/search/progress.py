"""Calm lines: one for each generation that is published, and one now and then between."""

import time
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console

from ban_ray.search.endings import Ending
from ban_ray.search.live import Board
from ban_ray.search.request import Planned

QUIET_S = 30.0
"""A chain that says nothing for so long is told of."""


class Lines:
    """Prints what chains report."""

    def __init__(self, console: Console, chains: Sequence[Planned], generations: int) -> None:
        self._console = console
        self._width = max((len(planned.title) for planned in chains), default=0)
        self._columns = max((len(c) for planned in chains for c in planned.place.columns), default=0)
        self._published = 0
        self._total = generations
        self._last: dict[str, float] = {}
        self._errors: dict[tuple[str, int], float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def started(self, planned: Planned) -> None:
        self._last[planned.title] = time.monotonic()
        self._width = max(self._width, len(planned.title))
        self._columns = max(self._columns, *map(len, planned.place.columns))

    def reported(self, planned: Planned, record: dict[str, Any]) -> None:
        if key := record.get("waiting_for"):
            self._console.print(
                f"  {planned.title}  waits for {str(key)[:8]}, which another run is training", highlight=False
            )
        number = record.get("generation")
        if number is None:
            return
        now = time.monotonic()
        if record.get("published") or record.get("taken"):
            metric = planned.metric
            error = metric.of_record(record, "held_out")
            value = metric.of_record(record) if error is None else error
            if value is not None:
                self._errors[planned.title, number] = value
            if record.get("published"):
                self._published += 1
                self._say(planned, number, self._result(planned, number, "test" if error is None else "held-out"))
        elif "epoch" in record and now - self._last.setdefault(planned.title, now) > QUIET_S:
            error = planned.metric.of_record(record, "held_out")
            measured = f", held-out {planned.metric.text(error)}" if error is not None else ""
            rate = f"{record.get('images_per_second', 0):.0f} {planned.metric.samples}/s"
            self._say(planned, number, f"epoch {record['epoch']} of {record['epochs']}{measured}, {rate}")

    def ended(self, planned: Planned, ending: Ending) -> None:
        if ending.kind != "done":
            kind = "FAILED" if ending.kind == "failed" else ending.kind
            self._console.print(
                f"  {planned.title:<{self._width}}  {kind}: {ending.sentence}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def _result(self, planned: Planned, number: int, part: str) -> str:
        error = self._errors[planned.title, number]
        before = self._errors.get((planned.title, number - 1))
        gain = f" ({error - before:+.2f} against its teacher)" if before is not None else ""
        return f"{part} {planned.metric.name} {planned.metric.text(error)}{gain}"

    def _say(self, planned: Planned, number: int, text: str) -> None:
        self._last[planned.title] = time.monotonic()
        count = f"{self._published:>{len(str(self._total))}}/{self._total}"
        line = f"  {count}  {planned.title:<{self._width}}  {planned.place.columns[number]:<{self._columns}}  {text}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def follow(console: Console, chains: Sequence[Planned], generations: int) -> Board | Lines:
    """The live view in a terminal, plain lines elsewhere; `chains` are those known already, `generations` a number or,
    where a sampler proposes chains, at most that many."""
    return Board(console, chains, generations) if console.is_terminal else Lines(console, chains, generations)
