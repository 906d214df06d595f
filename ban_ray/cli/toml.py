"""Options of a command as TOML: read by the names on the command line, and written again."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ban_ray.cli.pairs import nearest
from ban_ray.cli.params import Option, option_of
from ban_ray.errors import UserError


def read_options(path: str, model: type[BaseModel]) -> dict[str, Any]:
    """The values of a file by the model's fields; `model` checks them.

    Names are those of options with or without dashes: ``batch-size``, ``batch_size``, ``no-stopping``.

    Raises:
        UserError: the file cannot be read or is no TOML, or names no option.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"--config {path!r} cannot be read: {reason}") from error
    fields = {
        _plain(name): field
        for field, option in _options(model).items()
        for name in (field, option.name(field), *option.aliases)
        if not name.startswith("--no-")
    }
    values: dict[str, Any] = {}
    for name, value in table.items():
        plain = _plain(name)
        if plain.startswith("no_") and isinstance(value, bool):
            plain, value = plain.removeprefix("no_"), not value
        if plain not in fields:
            known = dict.fromkeys(_plain(option.name(field)) for field, option in _options(model).items())
            raise UserError(f"--config {path!r}: there is no option {name!r}; {nearest(name, known)}")
        field = fields[plain]
        if field in values:
            raise UserError(f"--config {path!r} gives {name} twice")
        values[field] = value
    return values


def write_options(values: Mapping[str, Any], model: type[BaseModel]) -> str:
    """TOML that `read_options` reads as these values, which are by the model's fields; mappings become tables."""
    lines, tables = [], []
    for field, value in values.items():
        name = _plain(_options(model)[field].name(field)).removeprefix("no_").replace("_", "-")
        if isinstance(value, Mapping) and _options(model)[field].repeated:
            entries = [f"{_string(key)} = {_value(entry)}" for key, entry in value.items()]
            tables.append("\n".join(["", f"[{name}]", *entries]))
        else:
            lines.append(f"{name} = {_value(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _options(model: type[BaseModel]) -> dict[str, Option]:
    return {field: option for field, info in model.model_fields.items() if (option := option_of(info)) is not None}


def _plain(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple) and "null" not in json.dumps(value):
        return f"[{', '.join(map(_value, value))}]"
    # TOML has no null; options that take mappings and lists take their JSON too.
    return _string(value if isinstance(value, str) else json.dumps(value))


def _string(text: str) -> str:
    # Of JSON's escapes TOML knows all but surrogates, which are not escaped here; DEL is escaped in TOML alone.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
