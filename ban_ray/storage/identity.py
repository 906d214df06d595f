"""What tells one storage from another: a random name in it, by which a process on another node knows that it sees the
same one. A node that joins a running cluster may have a folder of its own at the storage's path."""

import secrets

from ban_ray.storage.base import Storage

_PATH = ".identity"
_MOST_BYTES = 64


def storage_id(storage: Storage) -> str:
    """The storage's name, given to it where it has none."""
    storage.create(_PATH, secrets.token_hex(16).encode())
    return _read(storage)


def mismatch(storage: Storage, expected: str) -> str:
    """A sentence where this is not the storage of that name, else empty."""
    try:
        found = _read(storage)
    except FileNotFoundError:
        found = "none"
    if found == expected:
        return ""
    return (
        f"{storage.url} on this node is another folder than where the search was started (its .identity is "
        f"{found!r}, not {expected!r}); a path that all nodes mount, or a bucket such as s3://bucket/folder, is needed"
    )


def _read(storage: Storage) -> str:
    return storage.read(_PATH, at_most=_MOST_BYTES).decode(errors="replace")
