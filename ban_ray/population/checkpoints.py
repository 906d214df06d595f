"""Checkpoints of unfinished generations, written at the ends of epochs and named by their digests."""

import hashlib
import re
from collections.abc import Iterator

from ban_ray.population.layout import checkpoint_folder
from ban_ray.storage.base import Storage

KEPT = 2
"""Checkpoints that a run keeps: the newest, and the one before in case the newest cannot be read."""

_NAME = re.compile(r"epoch-(\d{4,})-([0-9a-f]{64})\.pt")


def save(storage: Storage, key: str, holder: str, epoch: int, data: bytes) -> None:
    """Write the state after `epoch` epochs and delete the older ones of the same holder of a claim."""
    folder = f"{checkpoint_folder(key)}/{holder}"
    storage.write(f"{folder}/epoch-{epoch:04d}-{hashlib.sha256(data).hexdigest()}.pt", data)
    for name in storage.list(folder)[:-KEPT]:
        storage.delete(f"{folder}/{name}")


def newest_first(storage: Storage, key: str) -> Iterator[tuple[int, bytes]]:
    """Number of epochs and state of each checkpoint of any holder, the most epochs first, without damaged ones."""
    checkpoints = []
    for holder in storage.list(checkpoint_folder(key)):
        folder = f"{checkpoint_folder(key)}/{holder}"
        matches = [match for name in storage.list(folder) if (match := _NAME.fullmatch(name))]
        checkpoints += [(int(match[1]), match[2], f"{folder}/{match[0]}") for match in matches]
    for epoch, sha256, path in sorted(checkpoints, reverse=True):
        try:
            data = storage.read(path)
        except FileNotFoundError:
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            yield epoch, data


def clear(storage: Storage, key: str) -> None:
    """Delete every checkpoint of a key."""
    storage.delete(checkpoint_folder(key))
