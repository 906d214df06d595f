"""The cost of a gain: the difference from the baseline against device-seconds of training."""

from math import isfinite

import numpy as np
from matplotlib.figure import Figure

from analysis.data.chain_groups import ChainGroup
from analysis.data.frames import device_seconds
from analysis.plots import style
from analysis.plots.registry import FigureData, figure


@figure(
    order=20,
    needs=("comparisons",),
    caption=lambda data: (
        f"{data.group.name}: difference from the baseline against the training it took, the baseline counted."
    ),
)
def gain_against_cost(data: FigureData) -> Figure | None:
    """Generations, Ens*k and averaged label-only networks; None where the members' provenance has no times."""
    group, metric = data.group, data.group.metric
    costs = cumulative_cost(group)
    of_group = [comparison for comparison in data.comparisons if comparison.group.name == group.name]
    generations = [comparison for comparison in of_group if comparison.kind == "generation"]
    if not generations or not all(isfinite(costs[comparison.generation]) for comparison in generations):
        return None
    drawn, axes = style.new(
        "device-seconds of training, the whole chain", f"from baseline, {metric.points}", note=data.note
    )
    axes.axhline(0, color=style.TEXT_COLOUR, linewidth=0.8)
    alone, averaged, control = style.PALETTE[:3]
    style.intervals(axes, [costs[c.generation] for c in generations], generations, alone, "generations, alone")
    firsts = [first for chain in group.with_generations(0, group.last) if (first := chain.members[0])]
    baseline = float(np.mean([metric.value_of(first) for first in firsts]))
    papers = [result for result in data.ensembles if result.of_papers and result.cost - 1 in costs]
    points = [(costs[result.cost - 1], metric.difference(result.error, baseline)) for result in papers]
    style.series(axes, points, averaged, "Ens*k")
    sizes = {control.size: control.error for result in papers for control in result.controls}
    points = [(costs[0] * size, metric.difference(sizes[size], baseline)) for size in sorted(sizes)]
    style.series(axes, points, control, "label-only networks, averaged")
    controls = [c for c in of_group if c.kind in ("control", "baseline") and isfinite(c.control_cost)]
    for comparison, look in zip(controls, style.PALETTE[3:], strict=False):
        point = comparison.control_cost, metric.difference(comparison.against_error, baseline)
        style.series(axes, [point], look, comparison.against, linestyle="")
    axes.set_xlim(left=0)
    style.legend(axes, columns=1)
    return drawn


def cumulative_cost(group: ChainGroup) -> dict[int, float]:
    """Mean device-seconds of each generation's whole line of training, NaN where not recorded."""
    costs: dict[int, float] = {}
    total = 0.0
    for number in sorted(group.representatives):
        total += float(np.mean([device_seconds(member) for chain in group.chains if (member := chain.member(number))]))
        costs[number] = total
    return costs
