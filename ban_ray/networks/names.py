"""Numbers in networks' names: their patterns, texts and checks; and texts for messages about networks."""

import json
from collections.abc import Mapping
from decimal import Decimal

from ban_ray.errors import UserError

WHOLE = r"0*([0-9]{1,4})"
DECIMAL = r"([0-9]{1,4}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})"
"""Groups for the patterns of families."""


def decimal_text(value: Decimal) -> str:
    """The shortest decimal text: ``0.5`` for 0.50, ``1`` for 1.0."""
    return f"{value.normalize():f}"


def check_depth(name: str, depth: int, constant: int, layers_per_unit: int) -> None:
    """Raises UserError: `depth` is not `constant` plus a positive multiple of `layers_per_unit`."""
    units, rest = divmod(depth - constant, layers_per_unit)
    if units < 1 or rest:
        below = constant + layers_per_unit * max(units, 1)
        raise UserError(
            f"network {name}: depth {depth} is not {constant} plus a multiple of {layers_per_unit}; "
            f"allowed nearby are {below} and {below + layers_per_unit}"
        )


def check_dropout(name: str, dropout: Decimal) -> None:
    """Raises UserError: `dropout` is not from 0 to below 1."""
    if not 0 <= dropout < 1:
        raise UserError(f"network {name}: dropout {dropout} is out of range; 0 to below 1 is allowed")


def arguments_text(arguments: Mapping[str, object]) -> str:
    """A builder's arguments as JSON; a value that JSON cannot hold is written as in Python."""
    return json.dumps(dict(arguments), default=repr)


def one_line(error: Exception) -> str:
    """The message of an exception of other code, without line breaks; with its type where the message says little."""
    text = " ".join(str(error).split())
    return text if isinstance(error, TypeError | ValueError | ImportError) else f"{type(error).__name__}: {text}"
