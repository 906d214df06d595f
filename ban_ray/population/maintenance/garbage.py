"""What may be deleted: abandoned checkpoints, old claims, and files that no record names."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ban_ray.population.layout import is_key
from ban_ray.population.maintenance.orphans import GRACE_S, orphans_of
from ban_ray.population.population import Population
from ban_ray.storage.base import Entry, Storage

ABANDONED_S = 7 * 86_400.0
"""Age in seconds after which checkpoints are taken for abandoned."""


@dataclass(frozen=True)
class Garbage:
    """A file or folder that may be deleted, and why; `size` in bytes."""

    path: str
    why: str
    size: int


def find_garbage(population: Population, *, abandoned_s: float = ABANDONED_S) -> Iterator[Garbage]:
    """Everything that no training, publication or member needs, each judged at the moment it is asked for.

    Args:
        abandoned_s: age in seconds of an unfinished generation's newest checkpoint from which it is given up.
    """
    now = time.time()
    yield from _checkpoints(population, now - abandoned_s, now - GRACE_S)
    yield from _claims(population.storage, now - GRACE_S)
    for entry in population.storage.entries("population"):
        if entry.is_folder and is_key(entry.name):
            for path, why in orphans_of(population, entry.name, now - GRACE_S):
                yield Garbage(path, why, _size(population.storage, path))
    yield from _outputs(population, now - abandoned_s)
    for room in ("unfinished", "claims", "failures", "index", "damaged", "outputs"):
        for path, entry in _below(population.storage, room):
            if entry.name.startswith(".") and (entry.modified or now) < now - GRACE_S:
                yield Garbage(path, "was being written when its process ended", entry.size)


def _checkpoints(population: Population, abandoned: float, unclaimed: float) -> Iterator[Garbage]:
    """Checkpoints that are older, and whose claims are older, than the given times."""
    storage, now = population.storage, time.time()
    for key in storage.list("unfinished"):
        place = f"unfinished/{key}"
        if is_key(key) and key in population:
            yield Garbage(place, "holds checkpoints of a published member", _size(storage, place))
        elif _newest(storage, place, now) < abandoned and _newest(storage, f"claims/{key}", 0.0) < unclaimed:
            yield Garbage(place, "holds checkpoints that nobody goes on from", _size(storage, place))


def _outputs(population: Population, before: float) -> Iterator[Garbage]:
    """Teachers' outputs are computed again where they are missing."""
    for key in population.storage.list("outputs"):
        place = f"outputs/{key}"
        if is_key(key) and key not in population:
            yield Garbage(place, "holds outputs of a teacher that is no member", _size(population.storage, place))
            continue
        for path, entry in _below(population.storage, place):
            if (entry.modified or time.time()) < before:
                yield Garbage(path, "holds outputs of a teacher that were kept long ago", entry.size)


def _claims(storage: Storage, before: float) -> Iterator[Garbage]:
    """A holder renews its claim every few seconds."""
    for key in storage.list("claims"):
        place = f"claims/{key}"
        if _newest(storage, place, time.time()) < before:
            yield Garbage(place, "holds claims that nobody renews", _size(storage, place))


def _below(storage: Storage, place: str) -> Iterator[tuple[str, Entry]]:
    """The files below a folder."""
    for entry in storage.entries(place):
        path = f"{place}/{entry.name}"
        if entry.is_folder:
            yield from _below(storage, path)
        else:
            yield path, entry


def _newest(storage: Storage, place: str, empty: float) -> float:
    """Time of change of the newest file below a folder, in seconds since 1970; `empty` where there is none."""
    return max((entry.modified or 0.0 for _, entry in _below(storage, place)), default=empty)


def _size(storage: Storage, path: str) -> int:
    room, _, name = path.rpartition("/")
    own = [entry.size for entry in storage.entries(room) if entry.name == name]
    return sum(own) + sum(entry.size for _, entry in _below(storage, path))
