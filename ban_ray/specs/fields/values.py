"""Values of fields, read from texts of the command line or from JSON."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from ban_ray.errors import UserError
from ban_ray.specs.fields.names import Field


def read_value(field: Field, value: JsonValue) -> Any:
    """A value of a field. Texts are read as JSON, as values with commas between them, or as they are.

    Raises:
        UserError: no reading of the value is one that the field takes.
    """
    adapter, errors = _adapter(field.annotation), []
    for candidate in _readings(value) if isinstance(value, str) else (value,):
        try:
            # Lax validation takes True for 1, and a name with "true" in it is no number.
            return adapter.validate_python(candidate, strict=isinstance(candidate, bool) or None)
        except ValidationError as error:
            errors.append(error)
    # The reading that has the right type and another fault says most about the text.
    raise UserError(_message(next((error for error in errors if _is_of_right_type(error)), errors[0])))


def as_text(value: object) -> str:
    """A value as `read_value` reads it."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


@cache
def _adapter(annotation: Any) -> "TypeAdapter[Any]":
    return TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))


def _readings(text: str) -> Iterator[object]:
    """What a text may mean, the most particular first."""
    for json_text in (text, f"[{text}]") if "," in text else (text,):
        try:
            yield json.loads(json_text)
        except (ValueError, RecursionError):
            continue
    yield text
    yield [part.strip() for part in text.split(",")] if text else []
    if text.lower() == "none":
        yield None


def _is_of_right_type(error: ValidationError) -> bool:
    kind = error.errors()[0]["type"]
    return not kind.endswith("_type") and kind not in ("none_required", "literal_error")


def _message(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]
