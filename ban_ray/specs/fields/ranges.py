"""Values to search a field over, as a text: ``1e-4..0.1:log``, ``16..64:step=8``, ``fp32,bf16``."""

import math
import re

from pydantic import JsonValue

from ban_ray.errors import UserError
from ban_ray.specs.fields.names import Field, find_field
from ban_ray.specs.fields.values import as_text, read_value
from ban_ray.specs.parameters import Choice, FloatRange, IntRange, Parameter, Value

MAX_LISTED = 100_000
"""Values of a range that can be listed; a sampler for whole numbers lists them."""
FORMS = "a..b, a..b:log, a..b:step=s and a,b,c"
_RANGE = re.compile(r"(?P<low>[^:,]+?)\.\.(?P<high>[^:,]+)(?P<scale>(?::[^:]*)*)")
_SAME_FOR_ALL = {
    "recipe.workers": "all chains of a search have the same number of workers",
    "task.normalise": "all chains of a search have the same inputs",
}


def read_parameter(name: str, values: JsonValue) -> Parameter:
    """The parameter of a field.

    Args:
        name: of the field.
        values: a range ``a..b``, on a logarithmic scale ``a..b:log``, or in steps ``a..b:step=s``, of whole numbers
            where the field is one; or a list, as a text with commas or as a sequence.

    Raises:
        UserError: the field does not exist or cannot be searched, or the values are none of it.
    """
    field = find_field(name)
    if name in _SAME_FOR_ALL:
        raise UserError(f"{_SAME_FOR_ALL[name]}; --set is allowed")
    match = _RANGE.fullmatch(values) if isinstance(values, str) else None
    if match is not None:
        return _range(field, *match.group("low", "high", "scale"))
    texts = _split(values) if isinstance(values, str) else values
    if not isinstance(texts, list | tuple):
        raise UserError(f"a text or a list of values is needed; allowed are {FORMS}")
    choices = [_choice(read_value(field, text)) for text in texts]
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise UserError(f"at least 2 different values are needed; allowed are {FORMS}, and --set for one value")
    return Choice(tuple(choices))


def _range(field: Field, low_text: str, high_text: str, scale: str) -> Parameter:
    low, high = read_value(field, low_text), read_value(field, high_text)
    if not _is_number(low) or not _is_number(high):
        raise UserError("a range needs a field of numbers; allowed are values with commas between them")
    if low >= high:
        raise UserError(f"a range goes from the smaller number to the larger, and {low:g} is not below {high:g}")
    is_log, step = False, None
    for part in scale.split(":")[1:]:
        name, _, text = part.partition("=")
        if part == "log" and not is_log:
            is_log = True
        elif name == "step" and text and step is None:
            step = _step(text)
        else:
            raise UserError(f"{':' + part!r} is no scale; allowed are {FORMS}")
    if is_log and (low <= 0 or step is not None):
        raise UserError(f"a logarithmic scale starts above 0 and has no step, and this one starts at {low:g}")
    if step is not None and step > high - low:
        raise UserError(f"no step of {step:g} fits between {low:g} and {high:g}")
    is_whole = isinstance(low, int) and isinstance(high, int) and not field.is_entry
    if (is_whole or step is not None) and (high - low) / (step or 1) > MAX_LISTED:
        raise UserError(f"there are more than {MAX_LISTED:,} values from {low:g} to {high:g}; a larger step has fewer")
    if is_whole:
        if step is not None and not step.is_integer():
            raise UserError(f"a step of {step:g} leaves the whole numbers, which the field needs")
        return IntRange(int(low), int(high), step=int(step or 1), log=is_log)
    return FloatRange(float(low), float(high), step=step, log=is_log)


def _step(text: str) -> float:
    try:
        step = float(text)
    except ValueError:
        step = math.nan
    if not 0 < step < math.inf:
        raise UserError(f"':step={text}' is no step above 0; allowed are {FORMS}")
    return step


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _choice(value: object) -> Value:
    """A value that a configuration can hold: numbers and texts as they are, others as texts that are read again."""
    return value if isinstance(value, str) or _is_number(value) else as_text(value)  # type: ignore[return-value]


def _split(text: str) -> list[str]:
    """The parts between commas that are in no brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()]
