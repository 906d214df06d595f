"""The live view in a terminal: chains and generations as they are trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ban_ray.cli.console import Console, new_table
from ban_ray.cli.text import format_duration
from ban_ray.evaluation.metrics import ERROR
from ban_ray.runtime.events import EpochEnded, Event, Published, Reused, Waiting
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.controller import ChainCallback
from ban_ray.search.schedule.outcome import ChainOutcome

REFRESH_PER_S = 2
STARTING_NOTES = ("starting its workers", "starts")
"""The note on a chain before its first epoch, for a wide and for a narrow terminal."""
CHAIN_STATES = ("running", "queued", "done", "saturated", "pruned", "interrupted", "failed")


@dataclass
class _ChainProgress:
    """The progress of a chain.

    Attributes:
        errors: by generation, held-out or, without held-out data, on test.
        note: what the chain does while it trains no epoch, for a wide terminal.
        short_note: the same for a narrow terminal.
    """

    planned: PlannedChain
    last_epoch_event: EpochEnded | None = None
    errors: dict[int, float] = field(default_factory=dict)
    state: str = "queued"
    note: str = ""
    short_note: str = ""

    @property
    def generation_number(self) -> int:
        return 0 if self.last_epoch_event is None else self.last_epoch_event.generation

    def gain(self) -> str:
        """The newest generation's error less that of the generation before it, in the metric's points."""
        last = max(self.errors, default=0)
        if last - 1 not in self.errors:
            return ""
        return f"{self.planned.metric.difference(self.errors[last], self.errors[last - 1]):+.2f}"

    def seconds_left(self) -> float | None:
        """Expected seconds until this chain ends, if all further epochs take as long as the newest one."""
        if self.last_epoch_event is None or "seconds" not in self.last_epoch_event.metrics:
            return None
        epochs = self.last_epoch_event.epochs
        generations = len(self.planned.chain.generations) - 1 - self.generation_number
        return float(self.last_epoch_event.metrics["seconds"]) * (
            epochs - self.last_epoch_event.epoch + generations * epochs
        )


class LiveProgress(ChainCallback):
    """Shows one line for each running chain and the number of chains in each state."""

    def __init__(self, console: Console, chains: Sequence[PlannedChain], num_generations: int) -> None:
        self._console = console
        self._chains = {id(planned): _ChainProgress(planned) for planned in chains}
        self._num_generations = num_generations
        self._num_published = 0
        metric = chains[0].metric if chains else ERROR
        self._held_out_heading = "held-out %" if metric is ERROR else f"held-out {metric.unit}"
        self._gain_heading = f"gain, {metric.points}"
        self._rate_heading = f"{metric.sample_noun}/s"
        self._live = Live(self, console=console, refresh_per_second=REFRESH_PER_S, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def on_chain_start(self, planned: PlannedChain) -> None:
        chain = self._chains.setdefault(id(planned), _ChainProgress(planned))
        chain.state = "running"
        chain.note, chain.short_note = STARTING_NOTES

    def on_event(self, planned: PlannedChain, event: Event) -> None:
        chain = self._chains[id(planned)]
        if isinstance(event, Waiting):
            chain.short_note, chain.note = f"waits {event.key[:8]}", waiting_text(event)
        elif isinstance(event, EpochEnded):
            chain.note, chain.short_note, chain.last_epoch_event = "", "", event
        elif isinstance(event, Published | Reused):
            chain.note, chain.short_note = STARTING_NOTES if isinstance(event, Reused) else ("", "")
            self._num_published += isinstance(event, Published)
            _, error = generation_error(planned, event)
            if error is not None:
                chain.errors[event.generation] = error

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        chain = self._chains.setdefault(id(planned), _ChainProgress(planned))
        chain.state = outcome.status
        if outcome.status == "failed":
            self._console.say(f"FAILED {planned.title}: {outcome.message}")

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        states = [chain.state for chain in self._chains.values()]
        counts = ", ".join(f"{states.count(state)} {state}" for state in CHAIN_STATES if state in states)
        yield Text(f"{self._num_published} of {self._num_generations} generations published; chains: {counts}")
        yield self._table(options.max_width)

    def _table(self, width: int) -> Table:
        wide = width >= 110
        rows: list[tuple[str, ...]] = []
        for chain in self._chains.values():
            if chain.state != "running":
                continue
            epoch, columns = chain.last_epoch_event, chain.planned.position.columns
            values = {} if epoch is None else epoch.metrics
            error = chain.planned.metric.from_record(values, "held_out")
            left = chain.seconds_left()
            title = chain.planned.title if wide else _shortened(chain.planned.title, width - 58)
            if chain.note:
                rows.append((title, chain.note if wide else chain.short_note))
                continue
            rows.append(
                (
                    title,
                    columns[chain.generation_number],
                    "0/?" if epoch is None else f"{epoch.epoch}/{epoch.epochs}",
                    "" if error is None else f"{error:.2f}",
                    chain.gain(),
                    f"{values.get('images_per_second', 0):.0f}",
                    "" if left is None else format_duration(left),
                )
            )
        gain = self._gain_heading if wide else "gain"
        return new_table(("chain", "training", "epoch", self._held_out_heading, gain, self._rate_heading, "left"), rows)


def waiting_text(event: Waiting) -> str:
    """A note on a chain that waits for a generation of another chain, of this search or another."""
    return f"waits for {event.key[:8]}, which another chain is training"


def generation_error(planned: PlannedChain, event: Published | Reused) -> tuple[str, float | None]:
    """A generation's error and the part of the data that it is on: ``held-out`` or, without held-out data, ``test``."""
    held_out = planned.metric.from_record(event.metrics, "held_out")
    return ("test", planned.metric.from_record(event.metrics)) if held_out is None else ("held-out", held_out)


def _shortened(text: str, width: int) -> str:
    """A text without its middle, since the titles of chains differ at their ends."""
    width = max(width, 12)
    return text if len(text) <= width else f"{text[: width // 2 - 1]}…{text[-(width - width // 2) :]}"
