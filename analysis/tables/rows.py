"""The lines of a table of errors: rows and columns as a search placed them, or a row a group."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.data.chain_groups import ChainGroup
from analysis.statistics.ensembles import EnsembleResult
from analysis.statistics.independence import independent_chains
from ban_ray.population import Member

REFERENCES = ("teacher", "baseline")


@dataclass(frozen=True)
class Cell:
    """Mean and standard deviation over `networks` members; NaN for what is not known.

    Attributes:
        filled: whether the baseline stands in for a generation of this Ens*k.
    """

    mean: float
    spread: float = float("nan")
    networks: int = 0
    filled: bool = False


@dataclass
class Line:
    """One row: what it is about, and cells by column.

    Attributes:
        chains, roots: behind the row; chains that share an ancestor have one root.
    """

    row: str
    objective: str
    parameters: float
    groups: list[ChainGroup]
    cells: dict[str, Cell] = field(default_factory=dict)
    chains: int = 0
    roots: int = 0


def lines(groups: Sequence[ChainGroup], ensembles: Sequence[EnsembleResult]) -> tuple[list[Line], list[str]]:
    """Our rows, and their columns in order: references first, ensembles last.

    Args:
        ensembles: results of these groups; those named Ens*k are shown, unless the baseline fills in for all of them.
    """
    by_row: dict[str, list[Line]] = {}
    for group in groups:
        row = group.chains[0].row or group.network
        same = by_row.setdefault(row, [])
        place = next((line for line in same if _fits(group, line)), None)
        if place is None:
            place = Line(row, "", _parameters(row, group), [])
            same.append(place)
        place.groups.append(group)
    found = [line for same in by_row.values() for line in same]
    for line in found:
        _fill(line)
    columns = list(dict.fromkeys(column for line in found for column in line.cells))
    columns.sort(key=lambda column: column not in REFERENCES)
    papers = [one for one in ensembles if one.name.startswith("Ens*")]
    unfilled = {len(one.which.generations) for one in papers if not one.which.filled}
    shown = [one for one in papers if not unfilled or len(one.which.generations) in unfilled]
    for line in found:
        for one in shown:
            if one.group.name in {group.name for group in line.groups}:
                cell = Cell(one.error, one.spread, one.chains, one.which.filled)
                line.cells[f"Ens*{len(one.which.generations)}"] = cell
    sizes = sorted({len(one.which.generations) for one in shown})
    return found, [*columns, *(f"Ens*{size}" for size in sizes)]


def _fits(group: ChainGroup, line: Line) -> bool:
    """Whether a placed group shares no column with the row's other groups but those of references."""
    taken = {other.column(number) for other in line.groups for number in other.representatives}
    mine = {group.column(number) for number in group.representatives}
    placed = bool(group.chains[0].row) and bool(line.groups[0].chains[0].row)
    return placed and not (taken & mine - set(REFERENCES))


def _fill(line: Line) -> None:
    members: dict[str, dict[str, Member]] = {}
    for group in line.groups:
        for number in sorted(group.representatives):
            column = members.setdefault(group.column(number), {})
            for chain in independent_chains(group.with_generations(number), number):
                member = chain.member(number)
                if member is not None:
                    column[member.key] = member
    for name, column in members.items():
        metric = line.groups[0].metric
        errors = np.array([error for member in column.values() if (error := metric.value_of(member)) is not None])
        spread = float(errors.std(ddof=1)) if len(errors) > 1 else float("nan")
        line.cells[name] = Cell(float(errors.mean()), spread, len(errors))
    widest = max(line.groups, key=lambda group: len(group.chains))
    line.chains, line.roots = len(widest.chains), len({chain.root for chain in widest.chains})
    teaching = [group for group in line.groups if group.objective.needs_teacher] or line.groups
    told = list(dict.fromkeys(_objective(group) for group in teaching))
    line.objective = told[0] if len(told) == 1 else "by column"


def _objective(group: ChainGroup) -> str:
    label, told = group.chains[0].label, str(group.objective)
    if label and not group.has_students:
        return label
    return told if not label or label == told else f"{told} ({label})"


def _parameters(row: str, group: ChainGroup) -> float:
    named = [member for member in group.representatives.values() if member.generation.network == row]
    return float((named or [group.last_member])[0].parameters)
