"""The summary in a terminal, and as JSON."""

import statistics

from rich.console import Console
from rich.table import Table

from ban_ray.cli.console import new_table
from ban_ray.search.plan.plan import format_count
from ban_ray.search.results.summary import Cell, Row, Summary

PARTS = (("test", "Test"), ("held_out", "Held-out"))


def show(summary: Summary, console: Console) -> None:
    """Print both tables in workshop Table 1's form, what failed, the regime and the sentence."""

    def say(text: str, style: str | None = None) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal, style=style)

    for part, title in PARTS:
        cells = [cell for row in summary.rows for cell in _cells(row, part).values()]
        seeds = max((len(cell.errors) for cell in cells), default=0)
        if not seeds:
            continue
        spread = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
        say(f"{title} {summary.metric.heading}{spread}; students by {summary.objective}")
        console.print(_table(summary, part, console.width))
    if any(cell.filled for row in summary.rows for cell in row.test.values()):
        say("* with the baseline as a member, since that generation was not trained")
    for row in summary.rows:
        for failure in row.failures:
            say(f"FAILED {failure}")
    say(summary.regime)
    say(summary.sentence, "bold")


def as_json(summary: Summary) -> dict[str, object]:
    """The summary as JSON values; the task's metric, of images the error in percent, by seed."""
    return {
        "regime": summary.regime,
        "objective": summary.objective,
        "sentence": summary.sentence,
        "rows": [
            {
                "network": row.name,
                "parameters": row.parameters,
                "failures": list(row.failures),
                **{
                    f"{part}_{summary.metric.key}": {
                        column: {"errors": cell.errors, "with_baseline": cell.filled}
                        for column, cell in _cells(row, part).items()
                    }
                    for part, _ in PARTS
                },
            }
            for row in summary.rows
        ],
    }


def _table(summary: Summary, part: str, width: int) -> Table:
    """A row a network; a column a network where that would not fit."""
    head = ["network", "parameters", *summary.columns]
    body = [
        [row.name, format_count(row.parameters), *(_text(_cells(row, part).get(c)) for c in summary.columns)]
        for row in summary.rows
    ]
    lines = [head, *body]
    if sum(max(len(line[k]) for line in lines) + 3 for k in range(len(head))) > width:
        lines = [list(line) for line in zip(*lines, strict=True)]
    table = new_table(*lines[0])
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _cells(row: Row, part: str) -> dict[str, Cell]:
    return row.test if part == "test" else row.held_out


def _text(cell: Cell | None) -> str:
    if cell is None or not cell.errors:
        return "/"
    errors = list(cell.errors.values())
    spread = f" ±{statistics.stdev(errors):.2f}" if len(errors) > 1 else ""
    return f"{statistics.fmean(errors):.2f}{spread}{'*' if cell.filled else ''}"
