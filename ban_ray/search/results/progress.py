"""Progress as plain lines: one for each published generation, and some in between."""

import time
from collections.abc import Sequence
from typing import Self

from ban_ray.cli.console import Console
from ban_ray.runtime.events import EpochEnded, Event, Published, Reused, Waiting
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.results.live import LiveProgress, generation_error, waiting_text
from ban_ray.search.schedule.controller import ChainCallback
from ban_ray.search.schedule.outcome import ChainOutcome

QUIET_PERIOD_S = 30.0
"""Seconds without a line on a chain after which its next epoch is printed."""


class PlainProgress(ChainCallback):
    """Prints the progress of chains."""

    def __init__(self, console: Console, chains: Sequence[PlannedChain], num_generations: int) -> None:
        self._console = console
        self._title_width = max((len(planned.title) for planned in chains), default=0)
        self._column_width = max((len(c) for planned in chains for c in planned.position.columns), default=0)
        self._num_published = 0
        self._num_generations = num_generations
        self._last_line_s: dict[str, float] = {}
        self._errors: dict[tuple[str, int], float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def on_chain_start(self, planned: PlannedChain) -> None:
        self._last_line_s[planned.title] = time.monotonic()
        self._title_width = max(self._title_width, len(planned.title))
        self._column_width = max(self._column_width, *map(len, planned.position.columns))

    def on_event(self, planned: PlannedChain, event: Event) -> None:
        if isinstance(event, Waiting):
            self._console.say(f"  {planned.title}  {waiting_text(event)}")
        elif isinstance(event, Published | Reused):
            part, error = generation_error(planned, event)
            if error is not None:
                self._errors[planned.title, event.generation] = error
            if isinstance(event, Published):
                self._num_published += 1
                self._print_line(planned, event.generation, self._error_and_gain(planned, event.generation, part))
        elif isinstance(event, EpochEnded):
            now = time.monotonic()
            if now - self._last_line_s.setdefault(planned.title, now) > QUIET_PERIOD_S:
                held_out = planned.metric.from_record(event.metrics, "held_out")
                measured = f", held-out {planned.metric.text(held_out)}" if held_out is not None else ""
                rate = f"{event.metrics.get('images_per_second', 0):.0f} {planned.metric.sample_noun}/s"
                text = f"epoch {event.epoch} of {event.epochs}{measured}, {rate}"
                self._print_line(planned, event.generation, text)

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        if outcome.status != "done":
            kind = "FAILED" if outcome.status == "failed" else outcome.status
            self._console.say(f"  {planned.title:<{self._title_width}}  {kind}: {outcome.message}", wrap=False)

    def _error_and_gain(self, planned: PlannedChain, number: int, part: str) -> str:
        error = self._errors[planned.title, number]
        before = self._errors.get((planned.title, number - 1))
        metric, gain = planned.metric, ""
        if before is not None:
            gain = f" ({metric.difference(error, before):+.2f} {metric.points} against generation {number - 1})"
        return f"{part} {metric.name} {metric.text(error)}{gain}"

    def _print_line(self, planned: PlannedChain, number: int, text: str) -> None:
        self._last_line_s[planned.title] = time.monotonic()
        count = f"{self._num_published:>{len(str(self._num_generations))}}/{self._num_generations}"
        title, column = f"{planned.title:<{self._title_width}}", planned.position.columns[number]
        line = f"  {count}  {title}  {column:<{self._column_width}}  {text}"
        self._console.say(line, wrap=False)


def make_progress_view(
    console: Console, chains: Sequence[PlannedChain], num_generations: int
) -> LiveProgress | PlainProgress:
    """The live view in a terminal, plain lines elsewhere.

    Args:
        chains: those that are known already.
        num_generations: number of generations to train, an upper bound if a sampler proposes chains.
    """
    view: type[LiveProgress | PlainProgress] = LiveProgress if console.is_terminal else PlainProgress
    return view(console, chains, num_generations)
