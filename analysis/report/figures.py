"""The figures of the page, from what was measured for it."""

from collections.abc import Sequence

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warning
from analysis.plots import Drawing, FigureData, draw_all
from analysis.report.measurements import Measurements


def figures(groups: Sequence[ChainGroup], measured: Measurements) -> tuple[Drawing, ...]:
    """Every figure that has something in it; none where a single group has one generation."""
    if not groups:
        return ()
    group = measured.chosen or groups[0]
    alike = [other for other in groups if other.task == group.task]
    if len(alike) == 1 and not group.last:
        return ()
    compared = [c for c in measured.comparisons if c.group.task == group.task] if measured.primary else []
    return draw_all(
        FigureData(
            group=group,
            groups=alike,
            comparisons=compared,
            ensembles=measured.of_chosen(),
            classes=measured.classes,
            histories=measured.histories,
            note=noise_warning(group.task),
        )
    )
