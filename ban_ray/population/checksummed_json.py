"""Canonical JSON that carries its own SHA-256, read from bytes that anyone may have written."""

import hashlib
import json
from collections.abc import Mapping

from ban_ray.specs import canonical_json, digest

FORMAT_VERSION = 1
MAX_BYTES = 1 << 20
MAX_DEPTH = 32


class ChecksumMismatch(ValueError):
    """The bytes are not what was written; the message is a predicate, such as "is not canonical JSON"."""


def seal(plain: Mapping[str, object]) -> bytes:
    """Canonical JSON with a field ``sha256``, the digest of the same JSON without it."""
    return canonical_json({**plain, "sha256": digest(plain)})


def open_sealed(data: bytes) -> bytes:
    """The canonical JSON without its digest.

    Raises:
        ChecksumMismatch: it is too long or too deep, of another format version, not canonical, or its digest differs.
    """
    if len(data) > MAX_BYTES:
        raise ChecksumMismatch(f"has {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ChecksumMismatch("is not canonical JSON") from error
    if _deeper_than(plain, MAX_DEPTH):
        raise ChecksumMismatch(f"is nested more than {MAX_DEPTH} levels deep")
    if not isinstance(plain, dict):
        raise ChecksumMismatch("holds no record")
    if plain.get("format_version") != FORMAT_VERSION:
        version = repr(plain.get("format_version"))[:50]
        raise ChecksumMismatch(f"has format version {version}, which is not known; this version reads {FORMAT_VERSION}")
    try:
        is_canonical = canonical_json(plain) == data
        recorded = plain.pop("sha256", None)
        body = canonical_json(plain)
    except ValueError as error:
        raise ChecksumMismatch("is not canonical JSON") from error
    if not is_canonical or recorded != hashlib.sha256(body).hexdigest():
        raise ChecksumMismatch("does not match its digest")
    return body


def _deeper_than(value: object, levels: int) -> bool:
    if levels == 0:
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_deeper_than(item, levels - 1) for item in items)
