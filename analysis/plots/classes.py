"""Gains class by class: the last generation minus the baseline, with 95 % intervals."""

from matplotlib.figure import Figure

from analysis.plots import style
from analysis.plots.registry import FigureData, figure
from analysis.statistics.generation_metrics import class_titles, extreme_classes


@figure(
    order=50,
    needs=("classes",),
    caption=lambda data: (
        f"{data.group.name}: gains class by class with 95 % intervals, not corrected for their number."
    ),
)
def class_gains(data: FigureData) -> Figure:
    """Of many classes, the ten with the largest gains and the ten with the largest losses."""
    ordered = extreme_classes(data.classes).iloc[::-1]
    drawn, axes = style.new(
        f"difference from baseline, {data.group.metric.points}",
        "class",
        note=data.note,
        height=0.19 * len(ordered) + 1.3,
    )
    look, heights = style.PALETTE[0], range(len(ordered))
    axes.axvline(0, color=style.TEXT_COLOUR, linewidth=0.8)
    axes.errorbar(
        ordered["difference"],
        heights,
        xerr=[ordered["difference"] - ordered["low"], ordered["high"] - ordered["difference"]],
        color=look.colour,
        marker=look.marker,
        linestyle="",
        capsize=2,
    )
    axes.set_yticks(heights, class_titles(ordered))
    axes.grid(axis="y", visible=False)
    return drawn
