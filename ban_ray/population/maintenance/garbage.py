"""Files that may be deleted: abandoned checkpoints, old claims and outputs, and files that no record names."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ban_ray.errors import DamagedMember
from ban_ray.population import layout
from ban_ray.population.layout import RECORD, is_key, member_folder
from ban_ray.population.population import Population
from ban_ray.storage.base import Entry, Storage

ABANDONED_S = 7 * 86_400.0
"""Age in seconds after which checkpoints are taken for abandoned."""
GRACE_S = 86_400.0
"""Age in seconds below which files without a record may belong to a publication under way."""
_SCRATCH_ROOMS = (
    layout.UNFINISHED,
    layout.CLAIMS,
    layout.FAILURES,
    "index",
    layout.QUARANTINE,
    layout.OUTPUTS,
    layout.INITIAL_WEIGHTS,
)


@dataclass(frozen=True)
class Garbage:
    """A file or folder that may be deleted, and why; `size` in bytes."""

    path: str
    why: str
    size: int


def find_garbage(population: Population, *, abandoned_s: float = ABANDONED_S) -> Iterator[Garbage]:
    """Everything that no training, publication or member needs, each judged when it is yielded.

    Args:
        abandoned_s: age in seconds of an unfinished generation's newest checkpoint from which it is given up.
    """
    now = time.time()
    storage = population.storage
    for path, why in _unneeded(population, abandoned=now - abandoned_s, unclaimed=now - GRACE_S):
        yield Garbage(path, why, _size(storage, path))
    for room in _SCRATCH_ROOMS:
        for path, entry in _files(storage, room):
            if entry.name.startswith(".") and (entry.modified or now) < now - GRACE_S:
                yield Garbage(path, "was being written when its process ended", entry.size)


def orphans_of(population: Population, key: str, before: float) -> list[tuple[str, str]]:
    """Paths below a member's folder, or the folder itself, that no record names, each with the reason.

    Args:
        before: seconds since 1970; younger files are passed over.
    """
    folder = member_folder(key)
    entries = population.storage.entries(folder)
    record = next((entry for entry in entries if entry.name == RECORD), None)
    if record is None:
        abandoned = entries and all(entry.modified is not None and entry.modified < before for entry in entries)
        return [(folder, "holds files and no record")] if abandoned else []
    try:
        member = None if record.is_link else population.get(key)
    except DamagedMember:
        member = None
    if member is None:
        # The files that belong to it are not known.
        return []
    named = {RECORD, *(file.name for file in member.files)}
    return [
        (f"{folder}/{entry.name}", "is not named by the member's record")
        for entry in entries
        if entry.name not in named and entry.modified is not None and entry.modified < before
    ]


def _unneeded(population: Population, *, abandoned: float, unclaimed: float) -> Iterator[tuple[str, str]]:
    """Paths and reasons; files younger than the given times, in seconds since 1970, may be in use."""
    storage, now = population.storage, time.time()
    for key in storage.list(layout.UNFINISHED):
        path = f"{layout.UNFINISHED}/{key}"
        if is_key(key) and key in population:
            yield path, "holds checkpoints of a published member"
        elif _newest(storage, path, now) < abandoned and _newest(storage, f"{layout.CLAIMS}/{key}", 0.0) < unclaimed:
            yield path, "holds checkpoints that nobody goes on from"
    for key in storage.list(layout.CLAIMS):
        # A holder renews its claim every few seconds.
        if _newest(storage, f"{layout.CLAIMS}/{key}", now) < unclaimed:
            yield f"{layout.CLAIMS}/{key}", "holds claims that nobody renews"
    starts = storage.entries(layout.INITIAL_WEIGHTS)
    needed = {member.generation.initial_weights for member in population} if starts else set()
    for entry in starts:
        # Until its first generation is published, only the search knows.
        if entry.name.removesuffix(".safetensors") not in needed and (entry.modified or now) < abandoned:
            yield f"{layout.INITIAL_WEIGHTS}/{entry.name}", "holds weights that no member started from"
    for entry in storage.entries(layout.MEMBERS):
        if entry.is_folder and is_key(entry.name):
            yield from orphans_of(population, entry.name, unclaimed)
    for key in storage.list(layout.OUTPUTS):
        # A teacher's outputs are computed again where they are missing.
        if is_key(key) and key not in population:
            yield f"{layout.OUTPUTS}/{key}", "holds outputs of a teacher that is no member"
            continue
        for path, entry in _files(storage, f"{layout.OUTPUTS}/{key}"):
            if (entry.modified or now) < abandoned:
                yield path, "holds outputs of a teacher that were kept long ago"


def _files(storage: Storage, folder: str) -> Iterator[tuple[str, Entry]]:
    """The files below a folder, at any depth."""
    for entry in storage.entries(folder):
        path = f"{folder}/{entry.name}"
        if entry.is_folder:
            yield from _files(storage, path)
        else:
            yield path, entry


def _newest(storage: Storage, folder: str, empty: float) -> float:
    """Time of change of the newest file below a folder, in seconds since 1970; `empty` where there is none."""
    return max((entry.modified or 0.0 for _, entry in _files(storage, folder)), default=empty)


def _size(storage: Storage, path: str) -> int:
    folder, _, name = path.rpartition("/")
    own = [entry.size for entry in storage.entries(folder) if entry.name == name]
    return sum(own) + sum(entry.size for _, entry in _files(storage, path))
