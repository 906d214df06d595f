"""The form of workshop Table 1: a row for each network, its generations and its ensembles, and the papers' rows."""

from collections.abc import Sequence
from math import isnan

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings, unlike_the_papers
from analysis.data.spec_text import generation_name
from analysis.statistics.ensembles import EnsembleResult
from analysis.tables import cell_text
from analysis.tables.rows import NAN, REFERENCES, Cell, TableRow, table_rows
from analysis.tables.table import Table
from ban_ray.specs import PaperRow

MARK = "†"


def sequence_table(
    groups: Sequence[ChainGroup],
    ensembles: Sequence[EnsembleResult] = (),
    paper: Sequence[PaperRow] = (),
    source: str = "",
    name: str = "sequences",
) -> Table:
    """Test errors by column (baseline, BAN-1 .. BAN-K, or the search's own) and Ens*k, mean and spread over seeds.

    Args:
        ensembles: results of these groups; those named Ens*k are shown.
        paper: the papers' rows; each is below ours of the same name, the others at the end.
        source: of the papers' figures.
        name: of the table's files.
    """
    ours, columns = table_rows(groups, _shown(ensembles))
    theirs, columns = _papers(paper, columns)
    last_of_name = {row.name: position for position, row in enumerate(ours)}
    ordered: list[TableRow] = []
    for position, row in enumerate(ours):
        ordered += [row, *(other for other in theirs if last_of_name.get(other.name) == position)]
    ordered += [other for other in theirs if other.name not in last_of_name]
    metric = groups[0].metric if groups else None
    what = f"Test {metric.name_with_unit}" if metric else "Test results"
    head = [column.capitalize() if column in REFERENCES else column for column in columns]
    return Table(
        name=name,
        caption=f"{what}: baselines, students, ensembles of generations; mean ± standard deviation over seeds",
        headings=("Network", "Objective", "Whose", "Parameters", *head),
        rows=tuple(_texts(row, columns) for row in ordered),
        data=pd.DataFrame([_record(row, columns) for row in ordered]),
        notes=tuple(_notes(groups, ours, theirs, paper, source)),
    )


def _papers(paper: Sequence[PaperRow], columns: Sequence[str]) -> tuple[list[TableRow], list[str]]:
    """The papers' rows under our columns, and the columns with those that only theirs need.

    Their baseline is under ours, or under the teacher where there is no such column; their further figures, in
    their order, under our students in ours.
    """
    ensembles = [column for column in columns if column.startswith("Ens*")]
    students = [column for column in columns if column not in REFERENCES and column not in ensembles]
    reference = "baseline" if "baseline" in columns or "teacher" not in columns else "teacher"
    missing = max((len(row.generations) for row in paper), default=0) - len(students)
    students += [generation_name(len(students) + number) for number in range(1, missing + 1)]
    sizes = {f"Ens*{size}" for row in paper for size in row.ensembles} | set(ensembles)
    rows = []
    for row in paper:
        figures = {reference: row.baseline, **dict(zip(students, row.generations, strict=False))}
        # An Ens*k without a BAN-k has the baseline as a member (workshop Table 1, its last row).
        trained = len([error for error in row.generations if error is not None])
        known = {column: Cell(error) for column, error in figures.items() if error is not None}
        known |= {f"Ens*{size}": Cell(error, filled=size > trained) for size, error in row.ensembles.items()}
        parameters = float("nan") if row.parameters_millions is None else 1e6 * row.parameters_millions
        rows.append(TableRow(row.network, "as printed", parameters, [], known))
    first = [column for column in columns if column in REFERENCES] or [reference]
    return rows, [*first, *students, *sorted(sizes, key=lambda column: (len(column), column))]


def _shown(ensembles: Sequence[EnsembleResult]) -> list[EnsembleResult]:
    """Ens*k, without sizes for which the baseline fills in everywhere, unless there is no other."""
    papers = [result for result in ensembles if result.of_papers]
    unfilled = {result.size for result in papers if not result.which.filled}
    return [result for result in papers if not unfilled or result.size in unfilled]


def _texts(row: TableRow, columns: Sequence[str]) -> tuple[str, ...]:
    cells = [_text(row.cells.get(column), row.chains) for column in columns]
    return (row.name, row.objective, _whose(row), cell_text.millions(row.parameters), *cells)


def _text(cell: Cell | None, chains: int) -> str:
    if cell is None or isnan(cell.mean):
        return cell_text.NOTHING
    few = f" ({cell.networks})" if 0 < cell.networks < chains else ""
    return cell_text.with_spread(cell.mean, cell.spread) + few + (MARK if cell.filled else "")


def _whose(row: TableRow) -> str:
    if not row.groups:
        return "paper"
    if row.chains == row.roots:
        return f"ours, {row.chains} seed{'s' if row.chains > 1 else ''}"
    return f"ours, {row.chains} chains, {row.roots} root{'s' if row.roots > 1 else ''}"


def _record(row: TableRow, columns: Sequence[str]) -> dict[str, object]:
    record: dict[str, object] = {
        "row": row.name,
        "whose": "ours" if row.groups else "paper",
        "parameters": row.parameters,
    }
    if row.groups:
        task = row.groups[0].task
        record |= {
            "objective": row.objective,
            "groups": "; ".join(group.name for group in row.groups),
            "task": task.name,
            "label_noise": task.label_noise,
            "chains": row.chains,
            "roots": row.roots,
        }
    for column in columns:
        cell: Cell = row.cells.get(column, Cell(NAN))
        record |= {column: cell.mean, f"{column} spread": cell.spread, f"{column} networks": cell.networks}
        if column.startswith("Ens*"):
            record[f"{column} filled"] = cell.filled
    return record


def _notes(
    groups: Sequence[ChainGroup],
    ours: Sequence[TableRow],
    theirs: Sequence[TableRow],
    paper: Sequence[PaperRow],
    source: str,
) -> list[str]:
    notes = noise_warnings(group.task for group in groups)
    if any(cell.filled for row in (*ours, *theirs) for cell in row.cells.values()):
        notes.append(f"{MARK} BAN-k was not trained: the baseline is a member of this Ens*k.")
    if any(0 < cell.networks < row.chains for row in ours for cell in row.cells.values()):
        notes.append("In brackets: networks behind a figure, where they are fewer than the row's chains.")
    if paper and groups:
        notes.append(
            f"Papers' figures: {source or 'as printed'}; one run each, under our columns in the papers' order."
        )
        unlike = list(dict.fromkeys(text for group in groups for text in unlike_the_papers(group.last_member)))
        notes.append(f"What differs from theirs: {'; '.join(unlike) or 'nothing in task, recipe or protocol'}.")
        notes += [f"{row.network} (paper): {row.note}" for row in paper if row.note]
    return notes
