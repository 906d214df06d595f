"""A table: cells to read, data to compute with, and notes that travel with both."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import pandas as pd

T = TypeVar("T")
Column = tuple[str, Callable[[T], str]]
"""A heading, and the text of its cell in the row of an item."""

_MARKDOWN = str.maketrans({"|": r"\|", "*": r"\*", "_": r"\_", "<": "&lt;", "`": r"\`", "\n": " "})
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    "≤": r"$\le$",
    "\n": " ",
}


@dataclass(frozen=True)
class Table:
    """Rows of text cells under headings.

    Attributes:
        name: of its files.
        caption: what is shown, with units.
        rows: cells of text, as many in each row as there are headings.
        data: the same figures unrounded, for CSV.
        notes: what differs, what is marked, what must be said beside the figures.
    """

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headings):
                raise ValueError(f"table {self.name}: a row of {len(row)} cells under {len(self.headings)} headings")

    @classmethod
    def of(
        cls,
        items: Iterable[T],
        columns: Sequence[Column[T]],
        *,
        name: str,
        caption: str,
        data: pd.DataFrame,
        notes: Iterable[str],
    ) -> Self:
        """A table with a row for each item."""
        rows = tuple(tuple(text(item) for _, text in columns) for item in items)
        return cls(name, caption, tuple(heading for heading, _ in columns), rows, data, tuple(notes))

    def markdown(self) -> str:
        """A pipe table with its caption above and its notes below."""
        lines = [f"**{self.caption.translate(_MARKDOWN)}**", ""]
        lines.append(_pipes(self.headings))
        lines.append("|" + "---|" * len(self.headings))
        lines += [_pipes(row) for row in self.rows]
        lines += [f"\n{note.translate(_MARKDOWN)}" for note in self.notes]
        return "\n".join(lines) + "\n"

    def latex(self) -> str:
        """A ``table`` environment that needs no package; the notes are below the rule."""
        columns = "l" * len(self.headings)
        lines = [r"\begin{table}", r"\centering", rf"\caption{{{_escape(self.caption)}}}"]
        lines += [rf"\begin{{tabular}}{{{columns}}}", r"\hline", _ampersands(self.headings), r"\hline"]
        lines += [_ampersands(row) for row in self.rows]
        lines += [r"\hline", r"\end{tabular}"]
        lines += [rf"\par\small {_escape(note)}" for note in self.notes]
        return "\n".join([*lines, r"\end{table}"]) + "\n"

    def csv(self) -> str:
        """The unrounded data with a header line; it has no notes, so their facts are columns."""
        return str(self.data.to_csv(index=False, lineterminator="\n"))


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.translate(_MARKDOWN) for cell in cells) + " |"


def _ampersands(cells: Sequence[str]) -> str:
    return " & ".join(map(_escape, cells)) + r" \\"


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
