"""The figures of the page, in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warning
from analysis.plots import (
    class_gains,
    ensemble_size,
    error_against_parameters,
    gain_against_cost,
    gains_by_generation,
    learning_curves,
    lineage_tree,
    to_svg,
)
from analysis.plots.style import PALETTE
from analysis.report.measurements import Measurements
from analysis.statistics.comparison import Comparison
from analysis.tables.comparisons import over


@dataclass(frozen=True)
class FigureText:
    """An inline figure and its caption."""

    name: str
    svg: Markup
    caption: str


def figures(groups: Sequence[ChainGroup], found: Measurements) -> tuple[FigureText, ...]:
    """Every figure that has something in it."""
    if not groups:
        return ()
    chosen = found.chosen
    lead = chosen or groups[0]
    note, metric = noise_warning(lead.task), lead.metric.name
    alike = [group for group in groups if group.task == lead.task]
    drawn: list[tuple[str, Figure | None, str]] = []
    if chosen is not None and found.primary is not None:
        name = chosen.name
        mine = [one for one in found.comparisons if one.group.task == chosen.task]
        drawn += [
            (
                "generations",
                gains_by_generation(mine, note=note),
                "Gains by generation: difference from the same chain's baseline on test, 95 % intervals "
                f"{over([one for one in mine if one.kind == 'generation'])}. Below zero is a gain." + _at_most(mine),
            ),
            (
                "cost",
                gain_against_cost(chosen, found.comparisons, found.of_chosen(), note=note),
                f"{name}: difference from the baseline against the training it took, the baseline counted.",
            ),
            (
                "ensembles",
                ensemble_size(chosen, found.of_chosen(), note=note) if found.of_chosen() else None,
                f"{name}: test {metric} of averaged networks, means over seeds; hollow: the baseline fills in.",
            ),
            (
                "learning",
                learning_curves(chosen, found.histories, note=note) if len(found.histories) else None,
                f"{name}: learning curves, mean over seeds; the band is from the lowest to the highest.",
            ),
            (
                "classes",
                class_gains(chosen, found.classes, note=note) if len(found.classes) else None,
                f"{name}: gains class by class with 95 % intervals, not corrected for their number.",
            ),
        ]
    several = len(alike) > 1 or lead.last
    if not several:
        return ()
    drawn.append(
        (
            "parameters",
            error_against_parameters(alike, note=note),
            f"Test {metric} against trainable parameters, means over seeds; the dotted line is the Pareto front.",
        )
    )
    drawn.append(
        (
            "lineage",
            lineage_tree(lead, alike, note=note),
            f"Teachers and students, with test {metric}: a line a chain, baselines at the left.",
        )
    )
    return tuple(
        FigureText(name, Markup(to_svg(figure, name, caption)), caption)
        for name, figure, caption in drawn
        if figure is not None
    )


def _at_most(comparisons: Sequence[Comparison]) -> str:
    groups = {one.group.name for one in comparisons}
    return f" The first {len(PALETTE)} of {len(groups)} groups." if len(groups) > len(PALETTE) else ""
