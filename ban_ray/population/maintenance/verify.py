"""The check that a population is what was published, byte by byte, and the folder of members that are not."""

import errno
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count
from math import isclose
from typing import Literal

from ban_ray.errors import DamagedMember
from ban_ray.population.decoding import arrays_of, history_of, predictions_of
from ban_ray.population.initial_weights import stored
from ban_ray.population.layout import (
    MEMBERS,
    QUARANTINE,
    RECORD,
    UNFINISHED,
    checkpoint_folder,
    initial_weights_file,
    is_key,
    member_folder,
    record_file,
)
from ban_ray.population.maintenance.garbage import GRACE_S, orphans_of
from ban_ray.population.member import File, Member
from ban_ray.population.population import Population
from ban_ray.population.publishing import measure

_TOLERANCE = 1e-6
"""Another NumPy sums in another order."""

Kind = Literal[
    "damaged",
    "inconsistent",
    "teacher missing",
    "teacher differs",
    "start missing",
    "orphan",
    "unfinished",
    "stranger",
]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was published.

    Attributes:
        what: ``damaged`` bytes or files; an ``inconsistent`` record; a teacher that is missing, or ``differs`` from
            the one that taught; a ``start``, that is initial weights, that is missing or damaged; an ``orphan``, that
            is a file that no record names; ``unfinished`` checkpoints of a published member; a ``stranger``, that is
            an entry whose name is no key, or a symbolic link.
        key: of the member, empty where there is none.
    """

    what: Kind
    key: str
    path: str
    sentence: str


@dataclass(frozen=True)
class VerificationReport:
    """The result of `verify`; `bytes_read` are those of the members' files."""

    members: int
    bytes_read: int
    findings: tuple[Finding, ...]


def verify(
    population: Population,
    *,
    keys: Collection[str] | None = None,
    grace_s: float = GRACE_S,
    progress: Callable[[list[str]], Iterable[str]] = iter,
) -> VerificationReport:
    """Read every file of every member, or of those with the given keys; symbolic links are not followed.

    Args:
        grace_s: age in seconds below which files without a record may belong to a publication under way.
        progress: passes the keys on, and shows how many are done.
    """
    storage, now = population.storage, time.time()
    entries = storage.entries(MEMBERS)
    folders = {entry.name for entry in entries if entry.is_folder and is_key(entry.name)}
    findings = [
        _stranger("", f"{MEMBERS}/{entry.name}", is_link=entry.is_link)
        for entry in entries
        if entry.name not in folders and (keys is None or entry.name in keys)
    ]
    chosen = sorted(folders if keys is None else folders.intersection(keys))

    @cache
    def weights_of(teacher: str) -> str | None:
        return _weights_digest(population, teacher) if teacher in folders else None

    @cache
    def start_is_whole(sha256: str) -> bool:
        return stored.find(storage, sha256) is not None

    members, bytes_read = 0, 0
    for key in progress(chosen):
        member, wrong = check(population, key)
        findings += wrong
        if member is not None:
            members += 1
            bytes_read += sum(file.size for file in member.files)
            findings += _check_teachers(member, weights_of)
            start = member.generation.initial_weights
            if start is not None and not start_is_whole(start):
                path = initial_weights_file(start)
                sentence = f"member {key}: {path}, which it started from, is missing or damaged"
                findings.append(Finding("start missing", key, path, sentence))
        for path, why in orphans_of(population, key, now - grace_s):
            findings.append(Finding("orphan", key, path, f"{path} {why}"))
    published = set(population.keys())
    for key in storage.list(UNFINISHED):
        if key in published and (keys is None or key in keys):
            sentence = f"member {key} is published and still has checkpoints"
            findings.append(Finding("unfinished", key, checkpoint_folder(key), sentence))
    return VerificationReport(members, bytes_read, tuple(findings))


def check(population: Population, key: str) -> tuple[Member | None, list[Finding]]:
    """One member's record, None where it is missing or damaged, and the findings on its files."""
    folder = member_folder(key)
    links = [entry.name for entry in population.storage.entries(folder) if entry.is_link]
    findings = [_stranger(key, f"{folder}/{name}", is_link=True) for name in links]
    if RECORD in links:
        return None, findings
    try:
        member = population.get(key)
    except DamagedMember as error:
        return None, [*findings, Finding("damaged", key, record_file(key), str(error))]
    if member is None:
        return None, findings
    for file in member.files:
        if file.name in links:
            continue
        path = f"{folder}/{file.name}"
        try:
            if not _is_consistent(population, member, file):
                sentence = f"member {key}: its metrics are not those of its predictions"
                findings.append(Finding("inconsistent", key, path, sentence))
        except DamagedMember as error:
            findings.append(Finding("damaged", key, path, str(error)))
    return member, findings


def quarantine(population: Population, key: str) -> str | None:
    """Move a damaged member to ``damaged/<key>-<n>``, with a file ``why.txt``.

    Returns:
        Where it is now; None where it is not damaged, or has been moved or trained again meanwhile.
    """
    storage = population.storage
    _, findings = check(population, key)
    damage = [finding.sentence for finding in findings if finding.what == "damaged"]
    if not damage:
        return None
    for number in count(1):
        target = f"{QUARANTINE}/{key}-{number}"
        try:
            storage.move(member_folder(key), target)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            continue
        storage.write(f"{target}/why.txt", "".join(f"{sentence}\n" for sentence in damage).encode())
        return target
    raise AssertionError("count has no end")


def _stranger(key: str, path: str, *, is_link: bool) -> Finding:
    reason = "is a symbolic link, which is not followed" if is_link else "is no member's folder"
    return Finding("stranger", key, path, f"{path} {reason}")


def _is_consistent(population: Population, member: Member, file: File) -> bool:
    """Read a file; whether the recorded metrics are those of its predictions, if it holds them."""
    data = population.file(member, file)
    if file is member.weights:
        arrays_of(data, member.key)
    elif file is member.history:
        history_of(data, member.key)
    else:
        measured = measure(predictions_of(data, member.key)).model_dump()
        return all(_near(measured[name], value) for name, value in member.metrics.model_dump().items())
    return True


def _near(value: float | None, other: float | None) -> bool:
    if value is None or other is None:
        return value is other
    return isclose(value, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _weights_digest(population: Population, key: str) -> str | None:
    """The digest of a member's weights; None where its record is missing, damaged or a link."""
    entries = population.storage.entries(member_folder(key))
    if not any(entry.name == RECORD and not entry.is_link for entry in entries):
        return None
    try:
        member = population.get(key)
    except DamagedMember:
        return None
    return member.weights.sha256 if member else None


def _check_teachers(member: Member, weights_of: Callable[[str], str | None]) -> list[Finding]:
    key, path, findings = member.key, record_file(member.key), []
    if set(member.teachers) != set(member.generation.teachers):
        sentence = f"member {key}: its record names other teachers than its generation"
        findings.append(Finding("inconsistent", key, path, sentence))
    for teacher, recorded in member.teachers.items():
        present = weights_of(teacher)
        if present is None:
            sentence = f"member {key}: its teacher {teacher} is not in the population, or its record is damaged"
            findings.append(Finding("teacher missing", key, path, sentence))
        elif present != recorded:
            sentence = (
                f"member {key} was taught by weights {recorded[:12]} of {teacher}, which has weights {present[:12]} "
                "now: its teacher was trained again with other bits"
            )
            findings.append(Finding("teacher differs", key, path, sentence))
    return findings
