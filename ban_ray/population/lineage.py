"""The ancestors and the students of members."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from ban_ray.errors import DamagedMember
from ban_ray.population.member import Member
from ban_ray.population.population import Population


@dataclass(frozen=True)
class Ancestor:
    """A member of a lineage.

    Attributes:
        member: None where it is missing or damaged.
        note: what is wrong with it, empty where nothing is.
    """

    key: str
    member: Member | None
    note: str


def lineage(population: Population, member: Member) -> tuple[Ancestor, ...]:
    """A member and all that it descends from, each once and after its teachers, the member itself last."""
    ordered: dict[str, Ancestor] = {}
    seen: dict[str, Ancestor] = {member.key: Ancestor(member.key, member, "")}
    waiting = [(member.key, False)]
    while waiting:
        key, teachers_done = waiting.pop()
        if key in ordered:
            continue
        ancestor = seen[key] = seen.get(key) or _look_up(population, key)
        teachers = ancestor.member.generation.teachers if ancestor.member else ()
        if teachers_done or not teachers:
            ordered[key] = ancestor
        else:
            waiting.append((key, True))
            waiting += [(teacher, False) for teacher in reversed(teachers) if teacher not in seen]
    return tuple(_with_note(ancestor, ordered.values()) for ancestor in ordered.values())


def taught_by(population: Population, keys: Collection[str]) -> dict[str, list[str]]:
    """The students of each of the keys that has any, by the teacher's key."""
    students: dict[str, list[str]] = {}
    for member in population.records():
        for teacher in member.generation.teachers:
            if teacher in keys:
                students.setdefault(teacher, []).append(member.key)
    return students


def _look_up(population: Population, key: str) -> Ancestor:
    try:
        member = population.get(key)
    except DamagedMember as error:
        return Ancestor(key, None, str(error))
    return Ancestor(key, member, "" if member else "is not in the population")


def _with_note(ancestor: Ancestor, others: Collection[Ancestor]) -> Ancestor:
    """The ancestor, with a note if its weights are not those that taught its students."""
    if ancestor.member is None:
        return ancestor
    weights = ancestor.member.weights.sha256
    students = [
        other.key[:12]
        for other in others
        if other.member and other.member.teachers.get(ancestor.key, weights) != weights
    ]
    note = f"has other weights than those that taught {', '.join(students)}" if students else ""
    return replace(ancestor, note=note)
