"""The console of every command: texts as they are, tables of one look, and the question before what costs much."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import rich.console
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ban_ray.cli.text import printable
from ban_ray.errors import UserError

PIPED_WIDTH = 1000
"""Characters of a line where the output is no terminal, so that no path or key is broken."""


class Console(rich.console.Console):
    """A rich console that interprets no markup, emoji name or number in a text.

    It is as wide as the terminal or as ``COLUMNS`` says, and `PIPED_WIDTH` characters wide elsewhere.
    """

    def __init__(self, *, stderr: bool = False, **settings: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **settings)
        if not self.is_terminal and self._width is None:
            self.width = PIPED_WIDTH

    def say(self, text: str, style: str | None = None, *, wrap: bool = True) -> None:
        """Print a text, without the characters that a terminal would obey.

        Args:
            style: of rich, such as ``bold``.
            wrap: break lines between words in a terminal; not for what is copied from it, such as a path.
        """
        self.print(Text(printable(text)), style=style, soft_wrap=not (wrap and self.is_terminal))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], text: Sequence[str] | None = None) -> None:
        """Print a table as `new_table` makes it, without rules where the output is no terminal."""
        self.print(new_table(columns, rows, text, rules=self.is_terminal))

    def key_values(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print names with their values, indented."""
        table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        self.print(_filled(table, rows))


def new_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    text: Sequence[str] | None = None,
    *,
    rules: bool = True,
) -> Table:
    """A table of texts.

    Args:
        text: columns that are set to the left, by default the first; the others hold numbers.
        rules: whether a line stands below the heading.
    """
    table = Table(box=SIMPLE_HEAD if rules else None, pad_edge=False)
    text = columns[:1] if text is None else text
    for column in columns:
        number = column not in text
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return _filled(table, rows)


def _filled(table: Table, rows: Iterable[Sequence[str]]) -> Table:
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def confirm(question: str, *, without_terminal: str, declined: str, stderr: bool = False) -> None:
    """Ask on the terminal, and return if the answer is ``yes``.

    Args:
        without_terminal, declined: error messages without a terminal, and for another answer.
        stderr: ask on stderr, where a program reads stdout.

    Raises:
        UserError: the answer is not yes, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise UserError(without_terminal)
    click.echo(f"{question} Type yes to go on: ", nl=False, err=stderr)
    if sys.stdin.readline().strip().lower() != "yes":
        raise UserError(declined)
