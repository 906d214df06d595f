"""The index: a copy of all records in one file, so that thousands are read at once.

It is derived: each record is stored with the version of the file that it was read from, a record whose version has
changed is read from its file, and a missing, damaged or unwritable index only costs time. Writers replace it whole.
"""

import gc
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ban_ray.errors import DamagedMember
from ban_ray.population.layout import INDEX, MEMBERS, RECORD, is_key
from ban_ray.population.member import Member

if TYPE_CHECKING:
    from ban_ray.population.population import Population

WORTH_WRITING = 32
"""Number of changes after which the index is written."""
_READERS = 16
_MAX_BYTES = 1 << 30


class _Index(BaseModel):
    """Versions of records by key, and the records; the field's name is part of the file's format."""

    model_config = ConfigDict(extra="forbid")

    marks: dict[str, str] = Field(default_factory=dict)
    members: list[Member] = Field(default_factory=list)


@dataclass(frozen=True)
class Catalogue:
    """All members by key, and the keys of those whose records cannot be read."""

    members: tuple[Member, ...]
    damaged: tuple[str, ...]


def catalogue(population: "Population") -> Catalogue:
    """The members of a storage; only records that are not in the index, or have changed, are read one by one."""
    with _no_collection():
        versions = {
            key: version for key, version in population.storage.versions(MEMBERS, RECORD).items() if is_key(key)
        }
        index = _load(population)
        current = {
            member.key: member
            for member in index.members
            if member.key in versions and index.marks.get(member.key) == versions[member.key]
        }
        members, damaged = _read(population, sorted(versions.keys() - current.keys()))
        changes = len(index.members) - len(current) + len(members)
        members = sorted([*current.values(), *members], key=lambda member: member.key)
        if changes >= WORTH_WRITING:
            _save(population, _Index(marks={member.key: versions[member.key] for member in members}, members=members))
        return Catalogue(tuple(members), tuple(damaged))


def _read(population: "Population", keys: list[str]) -> tuple[list[Member], list[str]]:
    """The members of keys, and the keys of damaged records; a record that was removed meanwhile is left out."""

    def read(key: str) -> Member | DamagedMember | None:
        try:
            return population.get(key)
        except DamagedMember as error:
            return error

    # Each read waits for a disk or a server.
    with ThreadPoolExecutor(_READERS) as readers:
        results = dict(zip(keys, readers.map(read, keys), strict=True))
    members = [result for result in results.values() if isinstance(result, Member)]
    return members, [key for key, result in results.items() if isinstance(result, DamagedMember)]


def _load(population: "Population") -> _Index:
    try:
        head, _, body = population.storage.read(INDEX, at_most=_MAX_BYTES).partition(b"\n")
        if head != _head(body):
            return _Index()
        return _Index.model_validate_json(body, strict=True)
    except (OSError, ValidationError):
        return _Index()


def _save(population: "Population", index: _Index) -> None:
    body = index.model_dump_json(exclude_defaults=True).encode()
    try:
        population.storage.write(INDEX, _head(body) + b"\n" + body)
    except OSError:
        # A storage that may only be read, or is full, has no index.
        return


def _head(body: bytes) -> bytes:
    return f"ban_ray index 1 {hashlib.sha256(body).hexdigest()}".encode()


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection, which would take most of the time while thousands of records are made."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
