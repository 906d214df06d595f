"""The tree of teachers and students."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.data.chains import RecordedChain
from analysis.plots import style
from analysis.plots.registry import FigureData, figure

MOST_CHAINS = 16


@figure(
    order=70,
    caption=lambda data: (
        f"Teachers and students, with test {data.group.metric.name}: a line a chain, baselines at the left."
    ),
)
def lineage_tree(data: FigureData) -> Figure:
    """A line a chain, generation 0 at the left, each member with its test error; objectives have their own markers.

    Chains of other groups are drawn as well where they share a member with those of the group in focus.
    """
    own = list(data.group.chains[:MOST_CHAINS])
    keys = {key for chain in own for key in chain.keys}
    others = [chain for group in data.groups if group is not data.group for chain in group.chains]
    related = [chain for chain in others if keys & set(chain.keys)]
    chains = sorted([*own, *related][:MOST_CHAINS], key=lambda chain: chain.keys)
    members = {key: member for chain in chains for key, member in zip(chain.keys, chain.members, strict=True)}
    positions = _positions(chains)
    drawn, axes = style.new("generation", "", note=data.note, height=max(1.8, 0.33 * len(chains) + 1.1))
    for chain in chains:
        for teacher, student in zip(chain.keys, chain.keys[1:], strict=False):
            (x0, y0), (x1, y1) = positions[teacher], positions[student]
            axes.plot([x0, x1], [y0, y1], color=style.TEXT_COLOUR, linewidth=0.8, alpha=0.6, zorder=1)
    looks: dict[str, style.SeriesStyle] = {}
    for key, point in positions.items():
        member = members[key]
        objective = member.objective if member else "not there"
        look = looks.setdefault(objective, style.PALETTE[len(looks) % len(style.PALETTE)])
        style.series(axes, [point], look, linestyle="", markersize=8, zorder=2)
        error = data.group.metric.value_of(member) if member else None
        text = "" if error is None else f"{error:.1f}"
        axes.annotate(text, point, xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8)
    for objective, look in looks.items():
        axes.plot([], [], color=look.colour, marker=look.marker, linestyle="", label=objective)
    axes.set_yticks([])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_xticks(range(max(len(chain.keys) for chain in chains)))
    axes.margins(x=0.08, y=0.15)
    style.legend(axes, columns=4)
    return drawn


def _positions(chains: Sequence[RecordedChain]) -> dict[str, tuple[float, float]]:
    """Generation and height of every member: the mean height of the chains that go through it."""
    heights: dict[str, list[float]] = {}
    numbers: dict[str, int] = {}
    for line, chain in enumerate(chains):
        for number, key in enumerate(chain.keys):
            heights.setdefault(key, []).append(-float(line))
            numbers[key] = number
    return {key: (float(numbers[key]), float(np.mean(heights[key]))) for key in heights}
