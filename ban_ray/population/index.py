"""The index: a copy of all records in one file, so that thousands are read at once.

It is derived: each record stands with the mark of the file it was read from, one whose mark has changed is read
again, and a missing, damaged or unwritable index only costs time. Writers replace it whole.
"""

import gc
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ban_ray.errors import DamagedMember
from ban_ray.population.layout import INDEX, MEMBERS, RECORD, is_key
from ban_ray.population.member import Member

if TYPE_CHECKING:
    from ban_ray.population.population import Population

WORTH_WRITING = 32
"""Changes after which the index is written again."""
_READERS = 16
_MAX_BYTES = 1 << 30


class _Index(BaseModel):
    """Marks of records by key, and the records."""

    model_config = ConfigDict(extra="forbid")

    marks: dict[str, str] = Field(default_factory=dict)
    members: list[Member] = Field(default_factory=list)


@dataclass(frozen=True)
class Catalogue:
    """All members by key, and the keys of those whose records cannot be read."""

    members: tuple[Member, ...]
    damaged: tuple[str, ...]


@dataclass
class _Fresh:
    members: list[Member] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def catalogue(population: "Population") -> Catalogue:
    """The members of a storage; only records that the index does not know yet are read one by one."""
    with _no_collection():
        marks = {key: mark for key, mark in population.storage.versions(MEMBERS, RECORD).items() if is_key(key)}
        known = _load(population)
        kept = {
            member.key: member
            for member in known.members
            if member.key in marks and known.marks.get(member.key) == marks[member.key]
        }
        fresh = _read(population, sorted(marks.keys() - kept.keys()))
        members = sorted([*kept.values(), *fresh.members], key=lambda member: member.key)
        if len(known.members) - len(kept) + len(fresh.members) >= WORTH_WRITING:
            _save(population, _Index(marks={member.key: marks[member.key] for member in members}, members=members))
        return Catalogue(tuple(members), tuple(fresh.damaged))


def _read(population: "Population", keys: list[str]) -> _Fresh:
    """The records of keys; one that was removed since is left out."""

    def read(key: str) -> Member | DamagedMember | None:
        try:
            return population.get(key)
        except DamagedMember as error:
            return error

    fresh = _Fresh()
    # Each read waits for a disk or a server.
    with ThreadPoolExecutor(_READERS) as readers:
        for key, found in zip(keys, readers.map(read, keys), strict=True):
            if isinstance(found, Member):
                fresh.members.append(found)
            elif found is not None:
                fresh.damaged.append(key)
    return fresh


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
    """While thousands of records are made, the collector would walk them again and again: most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
