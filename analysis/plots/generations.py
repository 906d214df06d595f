"""Gains by generation, with their intervals."""

from matplotlib.figure import Figure

from analysis.data.spec_text import generation_name
from analysis.plots import style
from analysis.plots.registry import FigureData, figure
from analysis.statistics.comparison import Comparison, scope_of


def _shown(data: FigureData) -> list[Comparison]:
    return [comparison for comparison in data.comparisons if comparison.kind == "generation"]


def _caption(data: FigureData) -> str:
    groups = len({comparison.group.name for comparison in data.comparisons})
    first = f" The first {len(style.PALETTE)} of {groups} groups." if groups > len(style.PALETTE) else ""
    return (
        "Gains by generation: difference from the same chain's baseline on test, 95 % intervals "
        f"{scope_of(_shown(data))}. Below zero is a gain.{first}"
    )


@figure(order=10, needs=("comparisons",), caption=_caption)
def gains_by_generation(data: FigureData) -> Figure:
    """Difference from the baseline at each generation, 95 % intervals; a series a group, at most six."""
    shown = _shown(data)
    names = list(dict.fromkeys(comparison.group.name for comparison in shown))[: len(style.PALETTE)]
    drawn, axes = style.new("generation", f"difference from baseline, {data.group.metric.points}", note=data.note)
    axes.axhline(0, color=style.TEXT_COLOUR, linewidth=0.8)
    for position, (name, look) in enumerate(zip(names, style.PALETTE, strict=False)):
        of_group = sorted((c for c in shown if c.group.name == name), key=lambda comparison: comparison.generation)
        # Side by side, so that intervals of different groups do not cover each other.
        offset = 0.08 * (position - (len(names) - 1) / 2)
        style.intervals(axes, [c.generation + offset for c in of_group], of_group, look, name)
    last = max((comparison.generation for comparison in shown), default=1)
    axes.set_xticks(range(1, last + 1), [generation_name(number) for number in range(1, last + 1)])
    axes.set_xlim(0.6, last + 0.4)
    style.legend(axes, columns=1)
    return drawn
