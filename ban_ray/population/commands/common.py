"""What all commands share: the storage, keys, and how things look."""

import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ban_ray.errors import UserError
from ban_ray.population.layout import is_key
from ban_ray.population.population import Population
from ban_ray.storage.opening import absolute, find_storage

SHORT = 12
"""Digits of a key that are printed in tables."""
_PIPED_WIDTH = 1000
_PREFIX = re.compile(r"[0-9a-f]{4,64}")

F = TypeVar("F", bound=Callable[..., Any])


def storage_option(command: F) -> F:
    return click.option(
        "--storage",
        default="./ban_runs",
        show_default=True,
        metavar="DIR|URL",
        help="Where the population is: a folder, s3://bucket/folder, gs://... or az://...",
    )(command)


def open_population(storage: str) -> Population:
    """The population of a storage that exists.

    Raises:
        UserError: there is none.
    """
    return Population(find_storage(absolute(storage)))


def resolve_key(population: Population, prefix: str) -> str:
    """The key that begins with the given digits.

    Raises:
        UserError: no member's key does, or those of several.
    """
    if not _PREFIX.fullmatch(prefix):
        raise UserError(f"{prefix[:80]!r} is no key; 4 to 64 hexadecimal digits are needed")
    if is_key(prefix):
        keys = [prefix] if prefix in population else []
    else:
        published = population.keys()
        keys = [key for key in published if key.startswith(prefix)]
    if len(keys) == 1:
        return keys[0]
    if not keys:
        raise UserError(f"no member of {population.storage.url} has a key that begins with {prefix}")
    shown = ", ".join(key[: len(prefix) + 6] for key in keys[:5])
    raise UserError(f"{len(keys)} members have keys that begin with {prefix}: {shown}{', ...' if keys[5:] else ''}")


def console(*, stderr: bool = False) -> Console:
    """A terminal of its width; what is piped is plain and wide enough for every line."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _PIPED_WIDTH, highlight=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> Table:
    """A table of texts, with the named columns set to the right."""
    made = Table(box=SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return _filled(made, rows)


def key_value_table(rows: Sequence[tuple[str, str]]) -> Table:
    """Names with their values, indented."""
    made = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    return _filled(made, rows)


def _filled(made: Table, rows: Sequence[Sequence[str]]) -> Table:
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def printable(text: object) -> str:
    """A text that anyone may have written, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))


def format_bytes(count: int) -> str:
    """Bytes in a unit that suits their number."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def moment(value: object) -> str:
    """A recorded time as ``2026-01-31 12:00``, empty where it is none."""
    try:
        return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
