"""Decoded data: arrays written once a node, in a folder named by a hash of them, and memory-mapped from there."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ban_ray.errors import UserError

META = "meta.json"
LOCK_WAIT_S = 600.0
"""A holder that dies frees the lock; this limits the wait for one that hangs."""


def cache_root() -> Path:
    """``$BAN_RAY_CACHE`` or the platform's cache folder."""
    return Path(os.environ.get("BAN_RAY_CACHE") or platformdirs.user_cache_dir("ban_ray"))


def cache_arrays(name: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, object]) -> None:
    """Write arrays and their metadata under a fingerprint, unless that exists already."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    final = root / name
    if final.is_dir():
        return
    scratch = Path(tempfile.mkdtemp(prefix=".decoding-", dir=root))
    try:
        for file, array in arrays.items():
            np.save(scratch / f"{file}.npy", array)
        (scratch / META).write_text(json.dumps(meta), encoding="utf-8")
        try:
            scratch.rename(final)
        except OSError:
            # Another process wrote the same bytes first.
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def cached_arrays(name: str, files: Sequence[str]) -> tuple[list[NDArray[Any]], dict[str, Any]]:
    """The arrays, memory-mapped, and the metadata written beside them.

    Raises:
        FileNotFoundError: nothing was written under this fingerprint on this node.
    """
    folder = cache_root() / name
    meta = dict(json.loads((folder / META).read_text(encoding="utf-8")))
    return [np.load(folder / f"{file}.npy", mmap_mode="r") for file in files], meta


@contextmanager
def node_lock(name: str) -> Iterator[None]:
    """Wait until no other process of this node is in a block of the same name, or for `LOCK_WAIT_S`.

    The lock saves work that would be done twice; nothing else depends on it.

    Raises:
        UserError: the cache folder cannot be written.
    """
    folder = cache_root() / "locks"
    lock = FileLock(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout:
        # Both then do the work, and the second one finds the result when it renames its own.
        pass
    except OSError as error:
        raise UserError(
            f"decoded data cannot be kept in {cache_root()} ({error.strerror}); "
            "the environment variable BAN_RAY_CACHE names another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
