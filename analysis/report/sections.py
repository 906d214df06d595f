"""The tables of the page, in order."""

from collections.abc import Sequence

from analysis.data.chain_groups import ChainGroup
from analysis.data.searches import Search
from analysis.report.measurements import Measurements
from analysis.tables import (
    Table,
    class_table,
    comparison_table,
    ensemble_table,
    greedy_table,
    measure_table,
    pair_table,
    sequence_table,
)


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


def _sequences(groups: Sequence[ChainGroup], measured: Measurements, search: Search | None) -> list[Table]:
    """One table a task; the papers' rows are in the first."""
    made = []
    for number, task in enumerate(dict.fromkeys(group.task for group in groups)):
        of_task = [group for group in groups if group.task == task]
        name = f"sequences-{number + 1}" if number else "sequences"
        about = search.about if search and not number else None
        made.append(
            sequence_table(
                of_task,
                measured.ensembles,
                about.paper if about else (),
                about.source if about else "",
                name=name,
            )
        )
    return made
