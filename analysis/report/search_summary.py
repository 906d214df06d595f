"""The figures that the command of a search prints: a row for each network, and its gain."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from analysis.data.chain_groups import from_search
from analysis.data.chains import recorded
from analysis.data.study import Study
from analysis.statistics.comparison import Comparison, compare, pooled
from analysis.statistics.ensembles import of_group
from analysis.statistics.scored_predictions import ScoredPredictions
from analysis.tables.rows import Part, TableRow, table_rows
from ban_ray.population.search_records import ChainRecord

ENSEMBLE_SIZES = (2, 3)
PARTS: tuple[Part, ...] = ("test", "held_out")
_BORN_AGAIN = re.compile(r"BAN-\d+")


@dataclass(frozen=True)
class SearchSummary:
    """The figures of a search.

    Attributes:
        rows: by part, in the same order.
        columns: baseline, BAN-1 .. BAN-k, Ens*2 and Ens*3, or the space's own.
        comparisons: the last generation against the reference, one for each column and objective that ends a row;
            averaged over such rows.
    """

    rows: Mapping[Part, Sequence[TableRow]]
    columns: Sequence[str]
    comparisons: Sequence[Comparison]


def summarise_search(
    study: Study,
    chains: Sequence[ChainRecord],
    *,
    seeds: Collection[int],
    reference: Callable[[Collection[str]], str],
    last: str = "",
    with_ensembles: Callable[[ChainRecord], bool] = lambda _: True,
) -> SearchSummary:
    """Compute the rows and comparisons of chains, whose members a study has.

    Args:
        seeds: of the search; a row that lacks one of them is not compared.
        reference: the column to compare with, of a row's columns.
        last: the last generation of every sequence ``BAN-1``, ``BAN-2``, ...; a row that ends before is not compared.
        with_ensembles: whether Ens*k of a chain is shown.
    """
    shown = {record.keys for record in chains if with_ensembles(record)}
    groups = from_search(recorded(study.records, chains))
    ensembles = [
        result
        for group in groups
        if group.chains[0].keys in shown
        for result in of_group(study, group, papers_only=True, sizes=ENSEMBLE_SIZES, controls=False)
    ]
    tables = {part: table_rows(groups, ensembles, part) for part in PARTS}
    rows, columns = tables["test"]
    designs: dict[tuple[str, str], list[Comparison]] = {}
    for row in rows:
        comparison = _against_reference(study, row, reference(row.cells), set(seeds), last)
        if comparison is not None:
            objective = comparison.group.representatives[comparison.generation].generation.objective
            designs.setdefault((comparison.name, str(objective)), []).append(comparison)
    comparisons = [pooled(parts) or parts[0] for parts in designs.values()]
    return SearchSummary({part: table[0] for part, table in tables.items()}, columns, comparisons)


def _against_reference(study: Study, row: TableRow, reference: str, seeds: set[int], last: str) -> Comparison | None:
    """The last generation of a row's sequence, else of its first kind of students, against the reference."""
    shown = [column for column in row.cells if column != reference and not column.startswith("Ens*")]
    taught = [c for c in shown if all(g.representatives[n].generation.teachers for g, n in row.generations_in(c))]
    students = taught or shown
    sequence = [column for column in students if _BORN_AGAIN.fullmatch(column)]
    if reference not in row.cells or not students or (last and sequence and sequence[-1] != last):
        return None
    column = sequence[-1] if sequence else students[0]
    first, second = row.chains_in(reference), row.chains_in(column)
    if not first.keys() == second.keys() == seeds:
        return None
    group, generation = row.generations_in(column)[0]
    scores = ScoredPredictions(study, group.metric)
    pair = [[scores.get(chain.keys[n]) for chain, n in (of[seed] for seed in second)] for of in (first, second)]
    read = [[score for score in part if score is not None] for part in pair]
    if min(map(len, read)) < len(seeds):
        return None
    chains = [chain for chain, _ in second.values()]
    return compare(group, "generation", column, reference, generation, chains, (read[0], read[1]))
