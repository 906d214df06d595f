"""The tables and figures of the page, in order."""

from collections.abc import Sequence

from analysis.data.chain_groups import ChainGroup
from analysis.data.searches import Search
from analysis.data.setting import noise_warning
from analysis.plots import Drawing, FigureData, draw_all
from analysis.report.measurements import Measurements
from analysis.tables.comparisons import comparison_table, pair_table
from analysis.tables.ensembles import ensemble_table, greedy_table
from analysis.tables.measures import class_table, measure_table
from analysis.tables.sequences import sequence_table
from analysis.tables.table import Table


def tables(groups: Sequence[ChainGroup], measured: Measurements, search: Search | None) -> tuple[Table, ...]:
    """Every table that has something in it: generations first, then comparisons, then the chosen group's own."""
    made = _sequences(groups, measured, search)
    if measured.comparisons:
        made.append(comparison_table(measured.comparisons))
    chosen = measured.chosen
    if chosen is not None:
        if measured.of_chosen():
            made.append(ensemble_table(chosen, measured.of_chosen()))
        if len(measured.greedy):
            made.append(greedy_table(measured.greedy, chosen))
        if len(measured.pairs):
            made.append(pair_table(chosen, measured.pairs))
    if len(measured.measures):
        made.append(measure_table(measured.measured, measured.measures))
    if chosen is not None and len(measured.classes):
        made.append(class_table(chosen, measured.classes))
    return tuple(made)


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


def _sequences(groups: Sequence[ChainGroup], measured: Measurements, search: Search | None) -> list[Table]:
    """One table a task; the papers' rows are in the first."""
    made = []
    for number, task in enumerate(dict.fromkeys(group.task for group in groups)):
        of_task = [group for group in groups if group.task == task]
        name = f"sequences-{number + 1}" if number else "sequences"
        paper, source = (search.about.paper, search.about.source) if search and not number else ((), "")
        made.append(sequence_table(of_task, measured.ensembles, paper, source, name=name))
    return made
