"""The best configurations, what was stopped and what was left out: in a terminal and as JSON."""

from collections.abc import Sequence

from rich.console import Console

from ban_ray.cli.console import new_table
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.config.strategy import ERROR
from ban_ray.search.plan.plan import format_count, pluralised
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.study.best import BestConfigurations

SHOWN = 5
"""Chains that were stopped and are named; the others are counted."""


def show(front: BestConfigurations, console: Console, *, always: bool) -> None:
    """Print the front; with one plain target only where asked for, since a grid's table says it already."""
    plain = front.targets == (ERROR,) and front.select_by == "last"
    if not front.num_finished or (plain and not always):
        return
    finished = pluralised(front.num_finished, "finished configuration")
    if not front.best:
        console.print(
            f"None of {finished} is the best: all of them make the same chain",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
        return
    several = len(front.targets) > 1
    chains = (
        f", which make {pluralised(front.different, 'different chain')}" if front.different < front.num_finished else ""
    )
    stopped = f", {front.num_stopped} stopped before" if front.num_stopped else ""
    what = f"Pareto front of {' and '.join(front.targets)}" if several else "Best"
    console.print(
        f"{what} of {finished}{chains}{stopped}; error is the {front.error_description}; "
        "the lowest of several is below what new data would show",
        highlight=False,
        soft_wrap=not console.is_terminal,
    )
    table = new_table("configuration", *front.targets)
    for row, _, values in front.best:
        table.add_row(row, f"{values[0]:.2f}", *(format_count(int(value)) for value in values[1:]))
    console.print(table)


def show_early(early: Sequence[tuple[PlannedChain, ChainOutcome]], left_out: Sequence[str], console: Console) -> None:
    """Print which chains ended before their last generation, and what was left out."""

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)

    for planned, ending in early[:SHOWN]:
        say(f"{ending.status} {planned.title}: {ending.message}")
    if len(early) > SHOWN:
        say(f"and {len(early) - SHOWN} more chains ended early")
    for sentence in left_out:
        say(f"left out: {sentence}")


def as_json(
    front: BestConfigurations | None, early: Sequence[tuple[PlannedChain, ChainOutcome]], left_out: Sequence[str]
) -> dict[str, object]:
    """``targets``, ``front``, ``ended_early`` and ``left_out``; errors in percent."""
    return {
        "targets": None if front is None else {"names": front.targets, "error_is": front.error_description},
        "front": []
        if front is None
        else [
            {"row": row, "configuration": dict(configuration), **dict(zip(front.targets, values, strict=True))}
            for row, configuration, values in front.best
        ],
        "configurations_finished": 0 if front is None else front.num_finished,
        "configurations_stopped": 0 if front is None else front.num_stopped,
        "different_chains_finished": 0 if front is None else front.different,
        "ended_early": [
            {"chain": planned.title, "kind": ending.status, "why": ending.message} for planned, ending in early
        ],
        "left_out": list(left_out),
    }
