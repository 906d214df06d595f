"""From content to one HTML file that needs nothing else."""

import re
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.report.content import Content
from analysis.report.provenance import BIBTEX
from analysis.tables import Table

MOST_ROWS = 60
"""Rows of a table on the page; `--tables` writes all of them."""
LEADING = ("sequences", "comparisons")
"""Tables that stand before the figures."""


@dataclass(frozen=True)
class Shown:
    """A table as far as the page shows it."""

    table: Table
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def render(content: Content) -> str:
    """The page: no script, no link to follow, every text escaped."""
    environment = Environment(
        loader=PackageLoader("analysis.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = non_breaking
    template = environment.get_template("page.html.j2")
    return template.render(
        content=content,
        leading=[shown(table) for table in content.tables if table.name.startswith(LEADING)],
        further=[shown(table) for table in content.tables if not table.name.startswith(LEADING)],
        bibtex=BIBTEX,
    )


def non_breaking(text: str) -> str:
    """Text whose intervals, p-values and units do not break over lines."""
    return re.sub(r"\[[^\]]{1,40}\]|\d %|p [<=] \S+|\d (?=points|seeds|chains)", _kept, text)


def _kept(match: re.Match[str]) -> str:
    return match.group().replace(" ", "\u00a0")


def shown(table: Table) -> Shown:
    """The first rows, and a note where there are more."""
    more = len(table.rows) - MOST_ROWS
    notes = table.notes
    if more > 0:
        notes = (*notes, f"{more:,} more rows: --tables DIR writes all of them.")
    return Shown(table, table.rows[:MOST_ROWS], notes)
