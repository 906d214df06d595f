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


def tables(groups: Sequence[ChainGroup], found: Measurements, search: Search | None) -> tuple[Table, ...]:
    """Every table that has something in it: generations first, then comparisons, then the chosen group's own."""
    made = _sequences(groups, found, search)
    if found.comparisons:
        made.append(comparison_table(found.comparisons))
    chosen = found.chosen
    if chosen is not None:
        if found.of_chosen():
            made.append(ensemble_table(chosen, found.of_chosen()))
        if len(found.greedy):
            made.append(greedy_table(found.greedy, chosen))
        if len(found.pairs):
            made.append(pair_table(chosen, found.pairs))
    if len(found.measures):
        made.append(measure_table(found.measured, found.measures))
    if chosen is not None and len(found.classes):
        made.append(class_table(chosen, found.classes))
    return tuple(made)


def _sequences(groups: Sequence[ChainGroup], found: Measurements, search: Search | None) -> list[Table]:
    """One table a task; the papers' rows stand in the first."""
    made = []
    for place, task in enumerate(dict.fromkeys(group.task for group in groups)):
        mine = [group for group in groups if group.task == task]
        name = f"sequences-{place + 1}" if place else "sequences"
        about = search.about if search and not place else None
        made.append(
            sequence_table(
                mine,
                found.ensembles,
                about.paper if about else (),
                about.source if about else "",
                name=name,
            )
        )
    return made
