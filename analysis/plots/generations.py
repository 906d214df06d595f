"""Gains by generation, with their intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analysis.data.spec_text import generation_name
from analysis.plots import style
from analysis.statistics.comparison import Comparison


@style.styled
def gains_by_generation(comparisons: Sequence[Comparison], *, note: str = "") -> Figure:
    """Difference from the baseline at each generation, 95 % intervals; a series a group, at most six."""
    shown = [one for one in comparisons if one.kind == "generation"]
    groups = list(dict.fromkeys(one.group.name for one in shown))[: len(style.PALETTE)]
    points = shown[0].group.metric.points if shown else "points"
    figure, axes = style.new("generation", f"difference from baseline, {points}", note=note)
    axes.axhline(0, color=style.TEXT_COLOUR, linewidth=0.8)
    for place, (name, look) in enumerate(zip(groups, style.PALETTE, strict=False)):
        ours = sorted((one for one in shown if one.group.name == name), key=lambda one: one.generation)
        # Side by side, so that intervals of different groups do not cover each other.
        offset = 0.08 * (place - (len(groups) - 1) / 2)
        axes.errorbar(
            [one.generation + offset for one in ours],
            [one.interval.estimate for one in ours],
            yerr=[
                [one.interval.estimate - one.interval.low for one in ours],
                [one.interval.high - one.interval.estimate for one in ours],
            ],
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            capsize=3,
            label=name,
        )
    last = max((one.generation for one in shown), default=1)
    axes.set_xticks(range(1, last + 1), [generation_name(number) for number in range(1, last + 1)])
    axes.set_xlim(0.6, last + 0.4)
    style.legend(axes, columns=1)
    return figure
