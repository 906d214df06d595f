"""An option whose value is a JSON object."""

import json

from pydantic import JsonValue

from ban_ray.errors import UserError


def json_object(option: str, text: str | None) -> dict[str, JsonValue]:
    """The object; an empty one where the option was not given.

    Raises:
        UserError: it is no JSON, or other JSON than an object.
    """
    shown = (text or "")[:80]
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{option} {shown!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f'{option} {shown!r} is no JSON object such as {{"width": 2}}')
    return value
