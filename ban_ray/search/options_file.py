"""``--config``: options of a search from a file, merged with those that were typed."""

from collections.abc import Mapping
from typing import Any

from ban_ray.cli.toml import read_options
from ban_ray.search.config.options import SearchOptions, parse_field_values, parse_searched_fields
from ban_ray.specs import Objective

_TABLES = {"settings": parse_field_values, "search": parse_searched_fields}


def merge_options_file(path: str, typed: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a file, overridden by those that were typed.

    A field of recipe or objective counts as one option, however it is given: ``--epochs 3`` and
    ``--search recipe.epochs=3,5`` both replace ``recipe.epochs`` of the file's ``[set]``.

    Args:
        typed: the options on the command line; ``--set`` and ``--search`` as their texts.

    Raises:
        UserError: the file cannot be read, or names no option.
    """
    in_file = read_options(path, SearchOptions)
    tables = {table: read(in_file.pop(table, {})) for table, read in _TABLES.items()}
    typed_tables = {table: dict(read(typed.get(table, ()))) for table, read in _TABLES.items()}
    typed_fields = {field for table in typed_tables.values() for field in table}
    if any(field.startswith("objective.") for field in typed_fields) and isinstance(tables["settings"], dict):
        tables["settings"] = {**_objective_fields(in_file.pop("objective", None)), **tables["settings"]}
    options = {name: value for name, value in in_file.items() if f"recipe.{name}" not in typed_fields}
    for table, fields in tables.items():
        if isinstance(fields, dict):
            kept = {name: value for name, value in fields.items() if not _is_typed(name, typed, typed_fields)}
            options[table] = kept | typed_tables[table]
        else:
            # Validation says what it should be.
            options[table] = fields
    return options | {name: value for name, value in typed.items() if name not in _TABLES}


def _is_typed(field: str, typed: Mapping[str, Any], typed_fields: set[str]) -> bool:
    root, _, rest = field.partition(".")
    return field in typed_fields or (root if root == "objective" else rest) in typed


def _objective_fields(text: object) -> dict[str, Any]:
    """The fields of an objective's text, so that single ones can be overridden."""
    if not isinstance(text, str):
        return {}
    try:
        objective = Objective.parse(text)
    except ValueError:
        return {"objective.name": text}
    return {f"objective.{field}": getattr(objective, field) for field in objective.model_fields_set}
