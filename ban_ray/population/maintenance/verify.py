"""Whether a population is what was published: every byte, every teacher, and what lies about."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from ban_ray.errors import DamagedMember
from ban_ray.population.checkpoints import unfinished
from ban_ray.population.decoding import arrays_of, history_of, predictions_of
from ban_ray.population.layout import is_key, member_folder
from ban_ray.population.maintenance.orphans import GRACE_S, orphans_of
from ban_ray.population.member import RECORD, Member
from ban_ray.population.population import Population
from ban_ray.population.publish import measure

_CLOSE = 1e-6
"""Relative; another NumPy sums in another order."""

What = Literal["damaged", "inconsistent", "teacher missing", "teacher differs", "orphan", "unfinished", "stranger"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: ``damaged`` bytes or files; an ``inconsistent`` record; a teacher that is missing, or ``differs`` from
            the one that taught; an ``orphan``, that is a file that no record names; ``unfinished`` checkpoints of a
            published member; a ``stranger``, whose name is no key.
        key: of the member, empty for a stranger.
    """

    what: What
    key: str
    path: str
    sentence: str


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` has looked at and found; `bytes_read` are those of the members' files."""

    members: int
    bytes_read: int
    findings: tuple[Finding, ...]


def verify(
    population: Population,
    *,
    keys: Collection[str] | None = None,
    grace_s: float = GRACE_S,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> VerificationReport:
    """Read every file of every member, or of those with the given keys.

    Args:
        grace_s: age in seconds below which files without a record may be a publication under way.
        progress: called with the number of members done and the number of all.
    """
    storage, now = population.storage, time.time()
    entries = [entry for entry in storage.entries("population") if keys is None or entry.name in keys]
    findings = [
        Finding("stranger", "", f"population/{entry.name}", f"population/{entry.name} is no member's folder")
        for entry in entries
        if not (entry.is_folder and is_key(entry.name))
    ]
    found = sorted(entry.name for entry in entries if entry.is_folder and is_key(entry.name))
    weights: dict[str, str | None] = {}
    members, read = 0, 0
    for done, key in enumerate(found):
        progress(done, len(found))
        member, wrong = check(population, key)
        findings += wrong
        if member is not None:
            members += 1
            read += sum(file.size for file in member.files)
            findings += _teachers(population, member, weights)
        for path, why in orphans_of(population, key, now - grace_s):
            findings.append(Finding("orphan", key, path, f"{path} {why}"))
    progress(len(found), len(found))
    published = set(population.keys())
    for key in storage.list("unfinished"):
        if key in published and (keys is None or key in keys):
            sentence = f"member {key} is published and still has checkpoints"
            findings.append(Finding("unfinished", key, unfinished(key), sentence))
    return VerificationReport(members, read, tuple(findings))


def check(population: Population, key: str) -> tuple[Member | None, list[Finding]]:
    """One member's record and files; the record is None where it is missing or damaged."""
    place = member_folder(key)
    try:
        member = population.get(key)
    except DamagedMember as error:
        return None, [Finding("damaged", key, f"{place}/{RECORD}", str(error))]
    if member is None:
        return None, []
    findings = []
    for file in member.files:
        try:
            data = population.file(member, file)
            if file is member.weights:
                arrays_of(data, key)
            elif file is member.history:
                history_of(data, key)
            else:
                measured = measure(predictions_of(data, key)).model_dump()
                if not _agree(measured, member.metrics.model_dump()):
                    sentence = f"member {key}: its metrics are not those of its predictions"
                    findings.append(Finding("inconsistent", key, f"{place}/{file.name}", sentence))
        except DamagedMember as error:
            findings.append(Finding("damaged", key, f"{place}/{file.name}", str(error)))
    return member, findings


def _teachers(population: Population, member: Member, weights: dict[str, str | None]) -> list[Finding]:
    """Findings on a member's teachers; `weights` keeps the digests of those that were looked up."""
    key, path, findings = member.key, f"{member_folder(member.key)}/{RECORD}", []
    if set(member.teachers) != set(member.generation.teachers):
        sentence = f"member {key}: its record names other teachers than its generation"
        findings.append(Finding("inconsistent", key, path, sentence))
    for teacher, taught in member.teachers.items():
        if teacher not in weights:
            weights[teacher] = _weights(population, teacher)
        present = weights[teacher]
        if present is None:
            sentence = f"member {key}: its teacher {teacher} is not in the population, or its record is damaged"
            findings.append(Finding("teacher missing", key, path, sentence))
        elif present != taught:
            sentence = (
                f"member {key} was taught by weights {taught[:12]} of {teacher}, which has weights {present[:12]} now: "
                "its teacher was trained again with other bits"
            )
            findings.append(Finding("teacher differs", key, path, sentence))
    return findings


def _weights(population: Population, key: str) -> str | None:
    try:
        member = population.get(key)
    except DamagedMember:
        return None
    return member.weights.sha256 if member else None


def _agree(measured: dict[str, float | None], recorded: dict[str, float | None]) -> bool:
    return all(_near(measured[name], recorded[name]) for name in measured)


def _near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _CLOSE * max(1.0, abs(one))
