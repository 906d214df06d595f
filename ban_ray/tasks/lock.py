"""One process of a node at a time, so that work is not done twice; nothing else rests on it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import cache_root

WAIT_S = 600.0
"""A holder that died frees the lock; one that hangs is not waited for any longer than this."""


@contextmanager
def node_lock(what: str) -> Iterator[None]:
    """Wait until no other process of this node is in a block of the same `what`, or for `WAIT_S`.

    Raises:
        UserError: the cache folder cannot be written.
    """
    folder = cache_root() / "locks"
    lock = FileLock(folder / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=WAIT_S)
    except Timeout:
        # Both then do the work, and the second one finds it done when it puts it in its place.
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
