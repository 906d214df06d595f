"""Decoded data: arrays written once a node, in a folder named by a hash of them, and memory-mapped from there."""

import errno
import fcntl
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
_SCRATCH = ".decoding-"
LOCK_WAIT_S = 600.0
"""A holder that dies frees the lock; this limits the wait for one that hangs."""


def cache_root() -> Path:
    """``$BAN_RAY_CACHE`` or the platform's cache folder."""
    return Path(os.environ.get("BAN_RAY_CACHE") or platformdirs.user_cache_dir("ban_ray"))


def cache_arrays(name: str, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, object]) -> None:
    """Write arrays and their metadata under a fingerprint, unless that exists already."""
    if (cache_root() / name).is_dir():
        return
    with scratch_folder() as scratch:
        for file, array in arrays.items():
            np.save(scratch / f"{file}.npy", array)
        keep(scratch, name, meta)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder beside the decoded data, which is removed at the end unless it was kept.

    Those of processes that were killed are removed before. A lock says that a folder's process is alive.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with node_lock("scratch"):
        for folder in root.glob(f"{_SCRATCH}*"):
            if (abandoned := _lock_folder(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(abandoned)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=root))
        lock = _lock_folder(scratch)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def keep(scratch: Path, name: str, meta: Mapping[str, object]) -> None:
    """Make a scratch folder with its arrays the one of a fingerprint, unless that exists already."""
    final = cache_root() / name
    (scratch / META).write_text(json.dumps(meta), encoding="utf-8")
    try:
        scratch.rename(final)
    except OSError:
        # Another process wrote the same bytes first.
        if not final.is_dir():
            raise


def _lock_folder(folder: Path) -> int | None:
    """A descriptor that holds a folder's lock; None where another one does, or the file system has no such locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def cached_arrays(name: str, files: Sequence[str]) -> tuple[list[NDArray[Any]], dict[str, Any]]:
    """The arrays, memory-mapped, and the metadata written beside them.

    Raises:
        FileNotFoundError: nothing was written under this fingerprint on this node.
        UserError: what was written has been damaged.
    """
    folder = cache_root() / name
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    try:
        meta = dict(json.loads((folder / META).read_text(encoding="utf-8")))
        return [np.load(folder / f"{file}.npy", mmap_mode="r") for file in files], meta
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"decoded data in {folder} are damaged ({' '.join(str(error).split())}); without this folder they are "
            "decoded again"
        ) from error


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
