"""What all commands share: the storage, keys, and how things look."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from ban_ray.errors import UserError
from ban_ray.population.layout import is_key
from ban_ray.population.population import Population
from ban_ray.storage.opening import absolute, find_storage

SHORT = 12
"""Digits of a key that are printed in tables."""
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


def moment(value: object) -> str:
    """A recorded time as ``2026-01-31 12:00``, empty where it is none."""
    try:
        return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
