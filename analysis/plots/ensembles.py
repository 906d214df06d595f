"""Error against the number of networks averaged."""

from matplotlib.figure import Figure

from analysis.plots import style
from analysis.plots.registry import FigureData, figure


@figure(
    order=30,
    needs=("ensembles",),
    caption=lambda data: (
        f"{data.group.name}: test {data.group.metric.name} of averaged networks, means over seeds; hollow: the "
        "baseline fills in."
    ),
)
def ensemble_size(data: FigureData) -> Figure:
    """Ens*k (hollow where the baseline fills in), other subsets of the chain, independent label-only networks."""
    drawn, axes = style.new("networks averaged", f"test {data.group.metric.heading}", note=data.note)
    paper_look, control_look, other_look = style.PALETTE[:3]
    papers = [result for result in data.ensembles if result.of_papers]
    others = [result for result in data.ensembles if not result.of_papers]
    points = [(result.size, result.error) for result in others]
    style.series(axes, points, other_look, "other subsets of the chain", linestyle="", marker="_", markersize=12)
    unfilled = [position for position, result in enumerate(papers) if not result.which.filled]
    style.series(axes, [(result.size, result.error) for result in papers], paper_look, "Ens*k", markevery=unfilled)
    filled = [(result.size, result.error) for result in papers if result.which.filled]
    style.series(axes, filled, paper_look, linestyle="", markerfacecolor="none")
    sizes = {control.size: control.error for result in data.ensembles for control in result.controls}
    style.series(axes, sorted(sizes.items()), control_look, "independent label-only networks")
    axes.set_xticks(sorted({*sizes, *(result.size for result in data.ensembles)}))
    style.legend(axes)
    return drawn
