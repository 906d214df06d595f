"""Rows of a table of errors: as a search placed its chains, or one for each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.statistics.ensembles import EnsembleResult
from analysis.statistics.independence import independent_chains

REFERENCES = ("teacher", "baseline")
Part = Literal["test", "held_out"]
NAN = float("nan")


@dataclass(frozen=True)
class Cell:
    """Mean and standard deviation over `networks` members; NaN for what is not known.

    Attributes:
        filled: whether the baseline stands in for a generation of this Ens*k.
        by_seed: the value of each chain; empty for a printed figure.
    """

    mean: float
    spread: float = NAN
    networks: int = 0
    filled: bool = False
    by_seed: Mapping[int | None, float] = field(default_factory=dict)


@dataclass
class TableRow:
    """Cells by column, and what they are about.

    Attributes:
        chains, roots: behind the row; chains that share an ancestor have one root.
    """

    name: str
    objective: str
    parameters: float
    groups: list[ChainGroup]
    cells: dict[str, Cell] = field(default_factory=dict)
    chains: int = 0
    roots: int = 0

    def generations_in(self, column: str) -> list[tuple[ChainGroup, int]]:
        """The groups that have a generation in a column, and its number."""
        return [(group, n) for group in self.groups for n in sorted(group.representatives) if group.column(n) == column]

    def chains_in(self, column: str) -> dict[int | None, tuple[RecordedChain, int]]:
        """The chain of each seed that has a member in a column, and the generation's number."""
        placed = self.generations_in(column)
        return {chain.seed: (chain, number) for group, number in placed for chain in group.with_generations(number)}


def table_rows(
    groups: Sequence[ChainGroup], ensembles: Sequence[EnsembleResult], part: Part = "test"
) -> tuple[list[TableRow], list[str]]:
    """Rows, and their columns in order: references first, ensembles last.

    Args:
        ensembles: results of these groups; those named Ens*k are shown.
        part: the samples of which the metric is.
    """
    by_name: dict[str, list[TableRow]] = {}
    for group in groups:
        name = group.chains[0].row or group.network
        same_name = by_name.setdefault(name, [])
        row = next((row for row in same_name if _fits(group, row)), None)
        if row is None:
            row = TableRow(name, "", _parameters(name, group), [])
            same_name.append(row)
        row.groups.append(group)
    rows = [row for same_name in by_name.values() for row in same_name]
    for row in rows:
        _fill(row, part)
    columns = list(dict.fromkeys(column for row in rows for column in row.cells))
    columns.sort(key=lambda column: column not in REFERENCES)
    papers = [result for result in ensembles if result.of_papers]
    for row in rows:
        for result in papers:
            if result.group.name in {group.name for group in row.groups}:
                row.cells[f"Ens*{result.size}"] = _ensemble_cell(result, part)
    return rows, [*columns, *(f"Ens*{size}" for size in sorted({result.size for result in papers}))]


def _fits(group: ChainGroup, row: TableRow) -> bool:
    """Whether a placed group shares no column with the row's other groups but those of references."""
    taken = {other.column(number) for other in row.groups for number in other.representatives}
    columns = {group.column(number) for number in group.representatives}
    placed = bool(group.chains[0].row) and bool(row.groups[0].chains[0].row)
    return placed and not (taken & columns - set(REFERENCES))


def _fill(row: TableRow, part: Part) -> None:
    metric = row.groups[0].metric
    for column in dict.fromkeys(group.column(n) for group in row.groups for n in sorted(group.representatives)):
        members = {}
        for group, number in row.generations_in(column):
            for chain in independent_chains(group.with_generations(number), number):
                members[chain.keys[number]] = chain.members[number]
        values = [metric.value_of(member, part) for member in members.values() if member is not None]
        by_seed = {
            seed: value
            for seed, (chain, number) in row.chains_in(column).items()
            if (member := chain.members[number]) and (value := metric.value_of(member, part)) is not None
        }
        row.cells[column] = _cell([value for value in values if value is not None], by_seed)
    widest = max(row.groups, key=lambda group: len(group.chains))
    row.chains, row.roots = len(widest.chains), len({chain.root for chain in widest.chains})
    taught = [group for group in row.groups if group.objective.needs_teacher] or row.groups
    objectives = list(dict.fromkeys(_objective(group) for group in taught))
    row.objective = objectives[0] if len(objectives) == 1 else "by column"


def _ensemble_cell(result: EnsembleResult, part: Part) -> Cell:
    if part == "test":
        return Cell(result.error, result.spread, result.chains, result.which.filled, result.errors)
    return _cell(list(result.held_out_errors.values()), result.held_out_errors, result.which.filled)


def _cell(values: Sequence[float], by_seed: Mapping[int | None, float], filled: bool = False) -> Cell:
    mean = float(np.mean(values)) if values else NAN
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else NAN
    return Cell(mean, spread, len(values), filled, by_seed)


def _objective(group: ChainGroup) -> str:
    label, objective = group.chains[0].label, str(group.objective)
    if label and not group.has_students:
        return label
    return objective if not label or label == objective else f"{objective} ({label})"


def _parameters(name: str, group: ChainGroup) -> float:
    named = [member for member in group.representatives.values() if member.generation.network == name]
    return float((named or [group.last_member])[0].parameters)
