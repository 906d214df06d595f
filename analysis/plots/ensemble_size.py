"""Error against the number of networks averaged."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analysis.data.chain_groups import ChainGroup
from analysis.plots import style
from analysis.statistics.ensembles import EnsembleResult


@style.styled
def ensemble_size(group: ChainGroup, results: Sequence[EnsembleResult], *, note: str = "") -> Figure:
    """Ens*k (hollow where the baseline fills in), other subsets of the chain, independent label-only networks."""
    metric = group.metric
    figure, axes = style.new("networks averaged", f"test {metric.heading}", note=note)
    ours, theirs, rest = style.PALETTE[:3]
    papers = [one for one in results if one.name.startswith("Ens*")]
    others = [one for one in results if one not in papers]
    axes.plot(
        [len(one.which.generations) for one in others],
        [one.error for one in others],
        color=rest.colour,
        marker="_",
        linestyle="",
        markersize=12,
        label="other subsets of the chain" if others else None,
    )
    axes.plot(
        [len(one.which.generations) for one in papers],
        [one.error for one in papers],
        color=ours.colour,
        linestyle=ours.line,
        marker=ours.marker,
        markevery=[place for place, one in enumerate(papers) if not one.which.filled],
        label="Ens*k",
    )
    for one in papers:
        if one.which.filled:
            axes.plot(
                len(one.which.generations),
                one.error,
                color=ours.colour,
                marker=ours.marker,
                linestyle="",
                markerfacecolor="none",
            )
    sizes = {control.size: control.error for one in results for control in (one.same_size, one.same_cost) if control}
    axes.plot(
        sorted(sizes),
        [sizes[size] for size in sorted(sizes)],
        color=theirs.colour,
        linestyle=theirs.line,
        marker=theirs.marker,
        label="independent label-only networks" if sizes else None,
    )
    axes.set_xticks(sorted({*sizes, *(len(one.which.generations) for one in results)}))
    style.legend(axes)
    return figure
