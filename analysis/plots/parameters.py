"""Error against parameters, with the Pareto front."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.data.chain_groups import ChainGroup
from analysis.data.spec_text import generation_name
from analysis.plots import style

MANY = 400


@style.styled
def error_against_parameters(groups: Sequence[ChainGroup], *, note: str = "") -> Figure:
    """Every chain's baseline and last generation, label-only controls, means over seeds, and the front of all."""
    metric = groups[0].metric
    figure, axes = style.new("trainable parameters", f"test {metric.heading}", note=note)
    baselines: list[tuple[float, float]] = []
    finals: list[tuple[float, float]] = []
    controls: list[tuple[float, float]] = []
    chains_too = any(group.last for group in groups)
    for group in groups:
        first = controls if chains_too and not group.born_again else baselines
        for number, points in ((0, first), (group.last, finals)):
            members = [member for chain in group.chains if (member := chain.member(number))]
            errors = [error for member in members if (error := metric.value_of(member)) is not None]
            if errors and (number or points is first):
                points.append((members[0].parameters, float(np.mean(errors))))
    front = pareto([*baselines, *finals, *controls])
    axes.plot(
        [x for x, _ in front],
        [y for _, y in front],
        drawstyle="steps-post",
        color=style.TEXT_COLOUR,
        linewidth=0.9,
        linestyle=":",
        label="Pareto front",
    )
    reached = {group.last for group in groups if group.last}
    last = generation_name(max(reached)) if len(reached) == 1 else "last generation"
    series = ((baselines, "baseline"), (finals, last), (controls, "on labels alone"))
    for (points, name), look in zip(series, style.PALETTE, strict=False):
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=look.colour,
            marker=look.marker,
            linestyle="",
            label=name if points else None,
            # Thousands of vector markers would make the page heavy.
            rasterized=len(points) > MANY,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g} M"))
    axes.xaxis.set_minor_locator(NullLocator())
    style.legend(axes, columns=3)
    return figure


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both coordinates (lower is better), by the first coordinate."""
    ordered = sorted(set(points))
    before = accumulate((y for _, y in ordered), min, initial=float("inf"))
    return [(x, y) for (x, y), best in zip(ordered, before, strict=False) if y < best]
