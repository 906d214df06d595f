"""Canonical JSON: values of equal meaning have the same text, so that its hash can be a key."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence


def normalise(value: object) -> object:
    """Convert integral floats to integers (200.0 to 200), tuples to lists, and mapping keys to strings.

    Raises:
        ValueError: for NaN, infinities and values that JSON cannot hold.
    """
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical JSON")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(key): normalise(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [normalise(item) for item in value]
    raise ValueError(f"{value!r} of type {type(value).__name__} has no canonical JSON")


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys, no white space and normalised numbers."""
    text = json.dumps(normalise(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
