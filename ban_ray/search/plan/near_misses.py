"""Members that differ from a missing generation only in execution, in the split or in the version of code."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from ban_ray.population import Population
from ban_ray.specs import Generation, digest

IGNORED_FIELDS = (
    ("recipe", "workers"),
    ("recipe", "precision"),
    ("recipe", "teacher_outputs"),
    ("recipe", "micro_batches"),
    ("task", "split_seed"),
)


def describe_near_misses(missing: Iterable[Generation], population: Population) -> list[str]:
    """A phrase for each difference, e.g. ``3 members differ only in workers = 4``.

    A teacher usually differs in the same fields as its student. Teachers are therefore compared by all fields except
    `IGNORED_FIELDS` and the version of code, not by key, and so are their own teachers.
    """
    members = {member.key: member.generation for member in population}
    wanted = {generation.key: generation for generation in missing}
    known = {**members, **wanted}

    @cache
    def comparison_digest(key: str) -> str:
        """A digest of a generation and its teachers, without `IGNORED_FIELDS` and the networks' code versions."""
        if key not in known:
            return key
        plain: dict[str, Any] = known[key].model_dump(mode="json", exclude_defaults=True)
        for part, field in IGNORED_FIELDS:
            plain.get(part, {}).pop(field, None)
        plain.pop("network_version", None)
        plain["teachers"] = [comparison_digest(teacher) for teacher in known[key].teachers]
        return digest(plain)

    by_digest: dict[str, list[Generation]] = {}
    for key, generation in members.items():
        by_digest.setdefault(comparison_digest(key), []).append(generation)
    differences: Counter[str] = Counter()
    for key, generation in wanted.items():
        for other in by_digest.get(comparison_digest(key), []):
            if difference := _difference(generation, other):
                differences[difference] += 1
    return [
        f"{count} {'member differs' if count == 1 else 'members differ'} only in {difference}"
        for difference, count in sorted(differences.items())
    ]


def _difference(wanted: Generation, member: Generation) -> str:
    values = []
    for part, field in IGNORED_FIELDS:
        value = getattr(getattr(member, part), field)
        if value != getattr(getattr(wanted, part), field):
            values.append(f"{field.replace('_', ' ')} = {value}")
    if member.network_version != wanted.network_version:
        # A digest of code means nothing to a reader.
        values.append("the network's version")
    return " and ".join(values)
