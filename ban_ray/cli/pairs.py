"""``NAME=VALUE`` on the command line, and names that were misspelt."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ban_ray.cli.text import printable
from ban_ray.errors import UserError


def name_and_value(option: str, text: str, example: str) -> tuple[str, str]:
    """The two sides of ``NAME=VALUE``, without white space around them; only the first ``=`` separates.

    Raises:
        UserError: there is no ``=``, or nothing before it.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UserError(f"{option} {text!r}: a name, '=' and a value are needed, such as {example}")
    return name, value


def alternatives(option: str, text: str, example: str) -> dict[str, list[str]]:
    """The values of each name in ``NAME=VALUE,NAME=VALUE``; a comma that no name follows belongs to the value."""
    values: dict[str, list[str]] = {}
    for pair in re.split(r",\s*(?=\w+\s*=)", text):
        name, value = name_and_value(option, pair, example)
        values.setdefault(name, []).append(value)
    return values


def named_values(option: str, example: str) -> Callable[[object], Any]:
    """A validator that makes a mapping with flat dotted names of repeated ``NAME=VALUE``, or of a nested mapping."""

    def read(value: object) -> Any:
        if isinstance(value, Mapping):
            return dict(_flat(value, ""))
        if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
            return value
        values: dict[str, str] = {}
        for text in value:
            name, given = name_and_value(option, text, example)
            if values.setdefault(name, given) != given:
                typed = printable(f"{option} {name}={given}: {name} is {values[name]} already")
                raise UserError(f"{typed}; one value is allowed")
        return values

    return read


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The end of a sentence on an unknown name: the names most like it, if any, and all that are allowed."""
    names = list(allowed)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    return f"the nearest: {', '.join(close)}; " * bool(close) + f"allowed are {', '.join(names)}"


def _flat(values: Mapping[object, object], prefix: str) -> Iterator[tuple[str, object]]:
    """The values of a nested mapping by dotted names, as TOML holds them: tuples are lists, and None is ``none``."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            listed = list(value) if isinstance(value, tuple) else value
            yield f"{prefix}{name}", "none" if value is None else listed
