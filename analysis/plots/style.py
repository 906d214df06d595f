"""The look of all figures: safe for the colour-blind, readable in grey print and on light and dark pages."""

import io
import re
from collections.abc import Sequence
from textwrap import fill
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.statistics.comparison import Comparison

TEXT_COLOUR = "#010203"
"""Near black on its own; `to_svg` turns it into the colour of the text around the figure."""

WIDTH, HEIGHT = 5.2, 3.6

RC: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.15,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "text.parse_math": False,
    "svg.fonttype": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), TEXT_COLOUR
    ),
}


class SeriesStyle(NamedTuple):
    """Colour, marker and line of a series: each alone distinguishes series."""

    colour: str
    marker: str
    line: str


PALETTE = (
    SeriesStyle("#0072B2", "o", "-"),
    SeriesStyle("#D55E00", "s", "--"),
    SeriesStyle("#009E73", "^", "-."),
    SeriesStyle("#CC79A7", "D", ":"),
    SeriesStyle("#E69F00", "v", "-"),
    SeriesStyle("#56B4E9", "P", "--"),
)
"""Okabe and Ito's palette without its yellow, which white paper swallows, and its black, which a dark page does."""


def new(xlabel: str, ylabel: str, *, note: str = "", height: float = HEIGHT) -> tuple[Figure, Axes]:
    """An empty figure without pyplot's global state; the note is above the axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if note:
        wrapped = fill(note, 54, break_long_words=False, break_on_hyphens=False)
        axes.set_title(wrapped, fontsize=8.5, loc="left", fontweight="bold")
    return figure, axes


def series(
    axes: Axes, points: Sequence[tuple[float, float]], look: SeriesStyle, label: str | None = None, **options: Any
) -> None:
    """Points (x, y) in a look that `options` may change; the label goes into the legend where there are any."""
    looks = {"color": look.colour, "marker": look.marker, "linestyle": look.line, **options}
    axes.plot([x for x, _ in points], [y for _, y in points], label=label if points else None, **looks)


def intervals(axes: Axes, x: Sequence[float], comparisons: Sequence[Comparison], look: SeriesStyle, label: str) -> None:
    """Differences of comparisons with their intervals."""
    drawn = [comparison.interval for comparison in comparisons]
    errors = [
        [interval.estimate - interval.low for interval in drawn],
        [interval.high - interval.estimate for interval in drawn],
    ]
    axes.errorbar(
        x,
        [interval.estimate for interval in drawn],
        yerr=errors,
        color=look.colour,
        marker=look.marker,
        linestyle=look.line,
        capsize=3,
        label=label,
    )


def legend(axes: Axes, *, columns: int = 2) -> None:
    """Below the axes, so that it hides no data; nothing where no series has a name."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.figure.legend(handles, [shortened(label) for label in labels], loc="outside lower left", ncols=columns)


def shortened(text: str, most: int = 44) -> str:
    """A name that fits into a legend."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def to_svg(figure: Figure, name: str, description: str = "") -> str:
    """An ``<svg>`` element: the same bytes for the same figure, no links, the page's own text colour.

    Args:
        name: unique on the page; begins every id.
        description: what a screen reader says in place of the figure.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({**RC, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    text = text.replace(TEXT_COLOUR, "currentColor")
    label = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1).strip()
