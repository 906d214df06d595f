"""Workshop Table 1's form: a row a network, its generations and its ensembles, ours beside theirs."""

from collections.abc import Mapping, Sequence
from math import isnan

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings, unlike_the_papers
from analysis.data.spec_text import generation_name
from analysis.statistics.ensembles import EnsembleResult
from analysis.tables import cell_text
from analysis.tables.rows import REFERENCES, Cell, Line, lines
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
        paper: the papers' rows; each stands below ours of the same name, the others at the end.
        source: of the papers' figures.
        name: of the table's files.
    """
    ours, columns = lines(groups, ensembles)
    theirs, columns = _papers(paper, columns)
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, object]] = []
    places = {line.row: place for place, line in enumerate(ours)}
    for place, line in enumerate(ours):
        rows.append(_row(line, _whose(line), columns))
        data.append(_record(line, "ours", columns))
        for row in theirs:
            if places.get(row.row) == place:
                rows.append(_row(row, "paper", columns))
                data.append(_record(row, "paper", columns))
    for row in theirs:
        if row.row not in places:
            rows.append(_row(row, "paper", columns))
            data.append(_record(row, "paper", columns))
    metric = groups[0].metric if groups else None
    what = f"Test {metric.name_with_unit}" if metric else "Test results"
    head = [column.capitalize() if column in REFERENCES else column for column in columns]
    return Table(
        name=name,
        caption=f"{what}: baselines, students, ensembles of generations; mean ± standard deviation over seeds",
        headings=("Network", "Objective", "Whose", "Parameters", *head),
        rows=tuple(rows),
        data=pd.DataFrame(data),
        notes=tuple(_notes(groups, ours, theirs, columns, paper, source)),
    )


def _papers(paper: Sequence[PaperRow], columns: Sequence[str]) -> tuple[list[Line], list[str]]:
    """The papers' rows under our columns, and the columns with those that only theirs need.

    Their baseline stands under ours, or under the teacher where there is no such column; their further figures, in
    their order, under our students in ours.
    """
    ensembles = [column for column in columns if column.startswith("Ens*")]
    students = [column for column in columns if column not in REFERENCES and column not in ensembles]
    reference = "baseline" if "baseline" in columns or "teacher" not in columns else "teacher"
    missing = max((len(row.generations) for row in paper), default=0) - len(students)
    students += [generation_name(len(students) + number) for number in range(1, missing + 1)]
    sizes = {f"Ens*{size}" for row in paper for size in row.ensembles} | set(ensembles)
    found = []
    for row in paper:
        figures = {reference: row.baseline, **dict(zip(students, row.generations, strict=False))}
        # An Ens*k without a BAN-k has the baseline as a member (workshop Table 1, its last row).
        trained = len([error for error in row.generations if error is not None])
        known = {column: Cell(error) for column, error in figures.items() if error is not None}
        known |= {f"Ens*{size}": Cell(error, filled=size > trained) for size, error in row.ensembles.items()}
        parameters = float("nan") if row.parameters_millions is None else 1e6 * row.parameters_millions
        found.append(Line(row.network, "as printed", parameters, [], known))
    first = [column for column in columns if column in REFERENCES] or [reference]
    return found, [*first, *students, *sorted(sizes, key=lambda column: (len(column), column))]


def _row(line: Line, whose: str, columns: Sequence[str]) -> tuple[str, ...]:
    known = [_text(line.cells.get(column), line.chains) for column in columns]
    return (line.row, line.objective, whose, cell_text.millions(line.parameters), *known)


def _text(cell: Cell | None, chains: int) -> str:
    if cell is None or isnan(cell.mean):
        return cell_text.NOTHING
    few = f" ({cell.networks})" if 0 < cell.networks < chains else ""
    return cell_text.with_spread(cell.mean, cell.spread) + few + (MARK if cell.filled else "")


def _whose(line: Line) -> str:
    chains, roots = line.chains, line.roots
    if chains == roots:
        return f"ours, {chains} seed{'s' if chains > 1 else ''}"
    return f"ours, {chains} chains, {roots} root{'s' if roots > 1 else ''}"


def _record(line: Line, whose: str, columns: Sequence[str]) -> dict[str, object]:
    record: dict[str, object] = {"row": line.row, "whose": whose, "parameters": line.parameters}
    if line.groups:
        task = line.groups[0].task
        record |= {
            "objective": line.objective,
            "groups": "; ".join(group.name for group in line.groups),
            "task": task.name,
            "label_noise": task.label_noise,
            "chains": line.chains,
            "roots": line.roots,
        }
    for column in columns:
        cell: Cell = line.cells.get(column, Cell(float("nan")))
        record |= {column: cell.mean, f"{column} spread": cell.spread, f"{column} networks": cell.networks}
        if column.startswith("Ens*"):
            record[f"{column} filled"] = cell.filled
    return record


def _notes(
    groups: Sequence[ChainGroup],
    ours: Sequence[Line],
    theirs: Sequence[Line],
    columns: Sequence[str],
    paper: Sequence[PaperRow],
    source: str,
) -> list[str]:
    notes = noise_warnings(group.task for group in groups)
    everything: list[Mapping[str, Cell]] = [line.cells for line in (*ours, *theirs)]
    if any(cell.filled for known in everything for cell in known.values()):
        notes.append(f"{MARK} BAN-k was not trained: the baseline is a member of this Ens*k.")
    if any(0 < cell.networks < line.chains for line in ours for cell in line.cells.values()):
        notes.append("In brackets: networks behind a figure, where they are fewer than the row's chains.")
    if paper and groups:
        notes.append(
            f"Papers' figures: {source or 'as printed'}; one run each, under our columns in the papers' order."
        )
        unlike = list(dict.fromkeys(text for group in groups for text in unlike_the_papers(group.last_member)))
        notes.append(f"What differs from theirs: {'; '.join(unlike) or 'nothing in task, recipe or protocol'}.")
        notes += [f"{row.network} (paper): {row.note}" for row in paper if row.note]
    return notes
