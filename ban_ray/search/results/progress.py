"""Calm lines: one for each generation that is published, and one now and then between."""

import time
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console

from ban_ray.search.config.resolve import PlannedChain
from ban_ray.search.results.live import LiveProgress
from ban_ray.search.schedule.outcome import ChainOutcome

QUIET_PERIOD_S = 30.0
"""A chain that says nothing for so long is told of."""


class PlainProgress:
    """Prints what chains report."""

    def __init__(self, console: Console, chains: Sequence[PlannedChain], generations: int) -> None:
        self._console = console
        self._width = max((len(planned.title) for planned in chains), default=0)
        self._columns = max((len(c) for planned in chains for c in planned.position.columns), default=0)
        self._published = 0
        self._total = generations
        self._last: dict[str, float] = {}
        self._errors: dict[tuple[str, int], float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def on_chain_start(self, planned: PlannedChain) -> None:
        self._last[planned.title] = time.monotonic()
        self._width = max(self._width, len(planned.title))
        self._columns = max(self._columns, *map(len, planned.position.columns))

    def on_report(self, planned: PlannedChain, record: dict[str, Any]) -> None:
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
            error = metric.from_record(record, "held_out")
            value = metric.from_record(record) if error is None else error
            if value is not None:
                self._errors[planned.title, number] = value
            if record.get("published"):
                self._published += 1
                self._print_line(
                    planned, number, self._error_and_gain(planned, number, "test" if error is None else "held-out")
                )
        elif "epoch" in record and now - self._last.setdefault(planned.title, now) > QUIET_PERIOD_S:
            error = planned.metric.from_record(record, "held_out")
            measured = f", held-out {planned.metric.text(error)}" if error is not None else ""
            rate = f"{record.get('images_per_second', 0):.0f} {planned.metric.samples}/s"
            self._print_line(planned, number, f"epoch {record['epoch']} of {record['epochs']}{measured}, {rate}")

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        if outcome.status != "done":
            kind = "FAILED" if outcome.status == "failed" else outcome.status
            self._console.print(
                f"  {planned.title:<{self._width}}  {kind}: {outcome.message}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def _error_and_gain(self, planned: PlannedChain, number: int, part: str) -> str:
        error = self._errors[planned.title, number]
        before = self._errors.get((planned.title, number - 1))
        gain = f" ({error - before:+.2f} against its teacher)" if before is not None else ""
        return f"{part} {planned.metric.name} {planned.metric.text(error)}{gain}"

    def _print_line(self, planned: PlannedChain, number: int, text: str) -> None:
        self._last[planned.title] = time.monotonic()
        count = f"{self._published:>{len(str(self._total))}}/{self._total}"
        line = f"  {count}  {planned.title:<{self._width}}  {planned.position.columns[number]:<{self._columns}}  {text}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def progress_view(console: Console, chains: Sequence[PlannedChain], generations: int) -> LiveProgress | PlainProgress:
    """The live view in a terminal, plain lines elsewhere; `chains` are those known already, `generations` a number or,
    where a sampler proposes chains, at most that many."""
    return (
        LiveProgress(console, chains, generations)
        if console.is_terminal
        else PlainProgress(console, chains, generations)
    )
