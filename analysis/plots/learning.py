"""Learning curves of a group's generations."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.data.chain_groups import ChainGroup
from analysis.plots import style

MOST_CHAINS = 20


@style.styled
def learning_curves(group: ChainGroup, histories: pd.DataFrame, *, note: str = "") -> Figure | None:
    """Held-out metric by epoch (training error where nothing was held out): mean over seeds, from lowest to highest.

    Args:
        histories: of the members of `curve_keys`.

    Returns:
        None without a history.
    """
    metric = group.metric
    column = f"held_out_{metric.field}"
    if metric.classes and not histories[column].notna().any():
        column = "train_error"
    if not histories[column].notna().any():
        return None
    what = "training" if column == "train_error" else "held-out"
    figure, axes = style.new("epoch", f"{what} {metric.heading}", note=note)
    keys = curve_keys(group)
    for number, look in zip(keys, style.PALETTE, strict=False):
        mine = histories[histories["key"].isin(keys[number])]
        by_epoch = mine[column].map(metric.from_field).groupby(mine["epoch"])
        mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
        epochs = mean.index.to_numpy(dtype=float)
        name = group.column(number)
        axes.plot(epochs, mean.to_numpy(), color=look.colour, linestyle=look.line, label=name)
        axes.plot(epochs[-1:], mean.to_numpy()[-1:], color=look.colour, marker=look.marker)
        axes.fill_between(epochs, low.to_numpy(), high.to_numpy(), color=look.colour, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend(axes, columns=4)
    return figure


def curve_keys(group: ChainGroup) -> dict[int, list[str]]:
    """Keys of the members whose curves are drawn, by generation: of the first chains, and six generations at most."""
    numbers = sorted(group.representatives)[: len(style.PALETTE)]
    chains = group.chains[:MOST_CHAINS]
    return {number: [chain.keys[number] for chain in chains if chain.member(number)] for number in numbers}
