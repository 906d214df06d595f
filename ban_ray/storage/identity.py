"""The identity of a storage: a random name in it, by which processes on other nodes recognise it.

A node that joins a running cluster may have a folder of its own at the storage's path.
"""

import secrets

from ban_ray.storage.base import Storage

_PATH = ".identity"
_MAX_BYTES = 64


def storage_id(storage: Storage) -> str:
    """The storage's identity, which is created if it has none."""
    storage.create(_PATH, secrets.token_hex(16).encode())
    return _read(storage)


def mismatch(storage: Storage, expected: str) -> str:
    """A sentence if the storage has another identity, else an empty string."""
    try:
        identity = _read(storage)
    except FileNotFoundError:
        identity = "none"
    if identity == expected:
        return ""
    return (
        f"{storage.url} on this node is another folder than where the search was started (its .identity is "
        f"{identity!r}, not {expected!r}); a path that all nodes mount, or a bucket such as s3://bucket/folder, is "
        "needed"
    )


def _read(storage: Storage) -> str:
    return storage.read(_PATH, at_most=_MAX_BYTES).decode(errors="replace")
