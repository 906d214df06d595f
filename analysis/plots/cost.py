"""What a gain costs: difference from the baseline against device-seconds of training."""

from collections.abc import Sequence
from math import isfinite

import numpy as np
from matplotlib.figure import Figure

from analysis.data.chain_groups import ChainGroup
from analysis.data.frames import device_seconds
from analysis.plots import style
from analysis.statistics.comparison import Comparison
from analysis.statistics.ensembles import EnsembleResult


@style.styled
def gain_against_cost(
    group: ChainGroup, comparisons: Sequence[Comparison], ensembles: Sequence[EnsembleResult] = (), *, note: str = ""
) -> Figure | None:
    """Generations, Ens*k and averaged label-only networks by what their training took, the baseline counted.

    Returns:
        None where the members' provenance has no times.
    """
    costs = cumulative_cost(group)
    ours = [one for one in comparisons if one.group.name == group.name and one.kind == "generation"]
    if not ours or not all(isfinite(costs[one.generation]) for one in ours):
        return None
    metric = group.metric
    figure, axes = style.new(
        "device-seconds of training, the whole chain", f"from baseline, {metric.points}", note=note
    )
    single, together, control = style.PALETTE[:3]
    axes.axhline(0, color=style.TEXT_COLOUR, linewidth=0.8)
    axes.errorbar(
        [costs[one.generation] for one in ours],
        [one.interval.estimate for one in ours],
        yerr=[
            [one.interval.estimate - one.interval.low for one in ours],
            [one.interval.high - one.interval.estimate for one in ours],
        ],
        color=single.colour,
        marker=single.marker,
        linestyle=single.line,
        capsize=3,
        label="generations, alone",
    )
    baseline = _baseline_error(group)
    papers = [one for one in ensembles if one.name.startswith("Ens*") and max(one.which.generations) in costs]
    axes.plot(
        [costs[max(one.which.generations)] for one in papers],
        [metric.difference(one.error, baseline) for one in papers],
        color=together.colour,
        marker=together.marker,
        linestyle=together.line,
        label="Ens*k",
    )
    sizes = {control.size: control.error for one in papers for control in (one.same_size, one.same_cost) if control}
    axes.plot(
        [costs[0] * size for size in sorted(sizes)],
        [metric.difference(sizes[size], baseline) for size in sorted(sizes)],
        color=control.colour,
        marker=control.marker,
        linestyle=control.line,
        label="label-only networks, averaged",
    )
    controls = [one for one in comparisons if one.group.name == group.name and one.kind in ("control", "baseline")]
    timed = [one for one in controls if isfinite(one.control_cost)]
    for one, look in zip(timed, style.PALETTE[3:], strict=False):
        axes.plot(
            one.control_cost,
            metric.difference(one.against_error, baseline),
            color=look.colour,
            marker=look.marker,
            linestyle="",
            label=one.against,
        )
    axes.set_xlim(left=0)
    style.legend(axes, columns=1)
    return figure


def cumulative_cost(group: ChainGroup) -> dict[int, float]:
    """Mean device-seconds of each generation's whole line of training, NaN where not recorded."""
    costs: dict[int, float] = {}
    total = 0.0
    for number in sorted(group.representatives):
        found = [device_seconds(member) for chain in group.chains if (member := chain.member(number))]
        total += float(np.mean(found))
        costs[number] = total
    return costs


def _baseline_error(group: ChainGroup) -> float:
    """Mean over the chains that have the last generation too."""
    chains = group.with_baseline_and(group.last)
    return float(np.mean([group.metric.value_of(chain.members[0]) for chain in chains if chain.members[0] is not None]))
