"""Unfinished generations: checkpoints at the ends of epochs, whole or not at all, named by what they hold."""

import hashlib
import re
from collections.abc import Iterator

from ban_ray.population.layout import checkpoint_folder
from ban_ray.storage.base import Storage

KEPT = 2
"""Checkpoints that a run keeps: the newest, and the one before in case the newest cannot be read."""

_NAME = re.compile(r"epoch-(\d{4,})-([0-9a-f]{64})\.pt")


def save(storage: Storage, key: str, claim: str, epoch: int, data: bytes) -> None:
    """Write the state after `epoch` epochs and drop this claim's older ones."""
    place = f"{checkpoint_folder(key)}/{claim}"
    storage.write(f"{place}/epoch-{epoch:04d}-{hashlib.sha256(data).hexdigest()}.pt", data)
    for name in storage.list(place)[:-KEPT]:
        storage.delete(f"{place}/{name}")


def newest_first(storage: Storage, key: str) -> Iterator[tuple[int, bytes]]:
    """Epochs done and states under any claim, the most advanced first; damaged ones are passed over."""
    found = []
    for claim in storage.list(checkpoint_folder(key)):
        place = f"{checkpoint_folder(key)}/{claim}"
        matches = [match for name in storage.list(place) if (match := _NAME.fullmatch(name))]
        found += [(int(match[1]), match[2], f"{place}/{match[0]}") for match in matches]
    for epoch, sha256, path in sorted(found, reverse=True):
        try:
            data = storage.read(path)
        except FileNotFoundError:
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            yield epoch, data


def clear(storage: Storage, key: str) -> None:
    """Drop every checkpoint of a key."""
    storage.delete(checkpoint_folder(key))
