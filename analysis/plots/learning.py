"""Learning curves of a group's generations."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.data.chain_groups import ChainGroup
from analysis.plots import style
from analysis.plots.registry import FigureData, figure

MOST_CHAINS = 20


@figure(
    order=40,
    needs=("histories",),
    caption=lambda data: (
        f"{data.group.name}: learning curves, mean over seeds; the band is from the lowest to the highest."
    ),
)
def learning_curves(data: FigureData) -> Figure | None:
    """Held-out metric by epoch (training error where nothing was held out); None where neither is recorded."""
    group, metric, histories = data.group, data.group.metric, data.histories
    column, what = f"held_out_{metric.field}", "held-out"
    if metric.is_classification and not histories[column].notna().any():
        column, what = "train_error", "training"
    if not histories[column].notna().any():
        return None
    drawn, axes = style.new("epoch", f"{what} {metric.heading}", note=data.note)
    for (number, keys), look in zip(curve_keys(group).items(), style.PALETTE, strict=False):
        members = histories[histories["key"].isin(keys)]
        by_epoch = members[column].map(metric.from_field).groupby(members["epoch"])
        mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
        epochs = mean.index.to_numpy(dtype=float)
        axes.plot(epochs, mean.to_numpy(), color=look.colour, linestyle=look.line, label=group.column(number))
        axes.plot(epochs[-1:], mean.to_numpy()[-1:], color=look.colour, marker=look.marker)
        axes.fill_between(epochs, low.to_numpy(), high.to_numpy(), color=look.colour, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend(axes, columns=4)
    return drawn


def curve_keys(group: ChainGroup) -> dict[int, list[str]]:
    """Keys of the members whose curves are drawn, by generation: of the first chains, and six generations at most."""
    numbers = sorted(group.representatives)[: len(style.PALETTE)]
    chains = group.chains[:MOST_CHAINS]
    return {number: [chain.keys[number] for chain in chains if chain.member(number)] for number in numbers}
