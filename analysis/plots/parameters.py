"""Error against parameters, with the Pareto front."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.data.spec_text import generation_name
from analysis.plots import style
from analysis.plots.registry import FigureData, figure
from ban_ray.evaluation.pareto import pareto_front

MANY = 400


@figure(
    order=60,
    caption=lambda data: (
        f"Test {data.group.metric.name} against trainable parameters, means over seeds; the dotted line is the Pareto "
        "front."
    ),
)
def error_against_parameters(data: FigureData) -> Figure:
    """Every chain's baseline and last generation, label-only controls, means over seeds, and the front of all."""
    groups, metric = data.groups, data.group.metric
    drawn, axes = style.new("trainable parameters", f"test {metric.heading}", note=data.note)
    baselines: list[tuple[float, float]] = []
    finals: list[tuple[float, float]] = []
    controls: list[tuple[float, float]] = []
    chains_too = any(group.last for group in groups)
    for group in groups:
        first = controls if chains_too and not group.born_again else baselines
        for number, points in ((0, first), (group.last, finals)):
            members = [member for chain in group.chains if (member := chain.member(number))]
            errors = [error for member in members if (error := metric.value_of(member)) is not None]
            if errors and (number or points is first):
                points.append((members[0].parameters, float(np.mean(errors))))
    everything = sorted({*baselines, *finals, *controls})
    front = [everything[position] for position in pareto_front(everything)]
    line = style.SeriesStyle(style.TEXT_COLOUR, "", ":")
    style.series(axes, front, line, "Pareto front", drawstyle="steps-post", linewidth=0.9)
    reached = {group.last for group in groups if group.last}
    last = generation_name(max(reached)) if len(reached) == 1 else "last generation"
    named = ((baselines, "baseline"), (finals, last), (controls, "on labels alone"))
    for (points, name), look in zip(named, style.PALETTE, strict=False):
        # Thousands of vector markers would make the page heavy.
        style.series(axes, points, look, name, linestyle="", rasterized=len(points) > MANY)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g} M"))
    axes.xaxis.set_minor_locator(NullLocator())
    style.legend(axes, columns=3)
    return drawn
