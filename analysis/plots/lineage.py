"""The tree of teachers and students."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.plots import style
from ban_ray.population import Member

MOST_LINES = 16


@style.styled
def lineage_tree(group: ChainGroup, others: Sequence[ChainGroup] = (), *, note: str = "") -> Figure:
    """A line a chain, generation 0 at the left, each member with its test error; objectives have their own markers.

    Args:
        others: groups whose chains are drawn as well where they share a member with those of `group`.
    """
    lines = list(group.chains[:MOST_LINES])
    shared = {key for chain in lines for key in chain.keys}
    related = [chain for other in others for chain in other.chains if shared & set(chain.keys) and other is not group]
    chains = sorted([*lines, *related][:MOST_LINES], key=lambda chain: chain.keys)
    members = {key: member for chain in chains for key, member in zip(chain.keys, chain.members, strict=True)}
    places = _places(chains)
    figure, axes = style.new("generation", "", note=note, height=max(1.8, 0.33 * len(chains) + 1.1))
    for chain in chains:
        for teacher, student in zip(chain.keys, chain.keys[1:], strict=False):
            (x0, y0), (x1, y1) = places[teacher], places[student]
            axes.plot([x0, x1], [y0, y1], color=style.TEXT_COLOUR, linewidth=0.8, alpha=0.6, zorder=1)
    looks: dict[str, style.SeriesStyle] = {}
    for key, (x, y) in places.items():
        member = members[key]
        kind = member.objective if member else "not there"
        look = looks.setdefault(kind, style.PALETTE[len(looks) % len(style.PALETTE)])
        axes.plot(x, y, color=look.colour, marker=look.marker, linestyle="", markersize=8, zorder=2)
        text = _error(group, member)
        axes.annotate(text, (x, y), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8)
    for kind, look in looks.items():
        axes.plot([], [], color=look.colour, marker=look.marker, linestyle="", label=kind)
    axes.set_yticks([])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_xticks(range(max(len(chain.keys) for chain in chains)))
    axes.margins(x=0.08, y=0.15)
    style.legend(axes, columns=4)
    return figure


def _places(chains: Sequence[RecordedChain]) -> dict[str, tuple[float, float]]:
    """Generation and height of every member: one that several lines go through stands at their mean."""
    heights: dict[str, list[float]] = {}
    numbers: dict[str, int] = {}
    for line, chain in enumerate(chains):
        for number, key in enumerate(chain.keys):
            heights.setdefault(key, []).append(-float(line))
            numbers[key] = number
    return {key: (float(numbers[key]), float(np.mean(found))) for key, found in heights.items()}


def _error(group: ChainGroup, member: Member | None) -> str:
    error = group.metric.value_of(member) if member else None
    return "" if error is None else f"{error:.1f}"
