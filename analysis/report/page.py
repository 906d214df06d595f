"""The page as one HTML file that needs nothing else."""

import re
from dataclasses import replace

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.data.study import Study
from analysis.report.content import Content, gather
from analysis.report.provenance import BIBTEX
from analysis.tables.table import Table
from ban_ray.population.layout import report_file

MOST_ROWS = 60
"""Rows of a table on the page; `--tables` writes all of them."""
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
LEADING = ("sequences", "comparisons")
"""Tables that come before the figures."""


def write(study: Study, search: str | None) -> tuple[str, Content]:
    """Write the page of a search, or of the whole population, into the storage; its path and its content."""
    content = gather(study, search)
    path = report_file(search)
    study.storage.write(path, render(content).encode())
    return f"{study.storage.url}/{path}", content


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
    page = template.render(
        content=content,
        leading=[shown(table) for table in content.tables if table.name.startswith(LEADING)],
        further=[shown(table) for table in content.tables if not table.name.startswith(LEADING)],
        bibtex=BIBTEX,
    )
    return without_controls(page)


def without_controls(text: str) -> str:
    """Text with a replacement character for each control character, as anyone may have written into a record: they
    are not allowed in HTML, a terminal obeys them, and lone surrogates have no UTF-8."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def non_breaking(text: str) -> str:
    """Text whose intervals, p-values and units do not break over lines."""
    return re.sub(
        r"\[[^\]]{1,40}\]|\d %|p [<=] \S+|\d (?=points|seeds|chains)",
        lambda match: match.group().replace(" ", "\u00a0"),
        text,
    )


def shown(table: Table) -> Table:
    """The first rows, and a note where there are more."""
    more = len(table.rows) - MOST_ROWS
    if more <= 0:
        return table
    note = f"{more:,} more rows: --tables DIR writes all of them."
    return replace(table, rows=table.rows[:MOST_ROWS], notes=(*table.notes, note))
