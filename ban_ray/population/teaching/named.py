"""``KEY`` and ``KEY+KEY``: named members, whose probabilities are averaged."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Self

from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe

KEY = r"[0-9a-f]{8,64}"


@register
@dataclass(frozen=True)
class Named(TeacherPolicy):
    """The members of some keys; one that is named twice has twice the weight."""

    name = "member"
    form = "KEY, KEY+KEY"
    pattern = rf"({KEY}(?:\+{KEY})*)"
    ignores_population: ClassVar[bool] = True

    keys: str

    @classmethod
    def of_groups(cls, *groups: str) -> Self:
        return cls(groups[0])

    @property
    def text(self) -> str:
        return self.keys

    def recorded(self) -> dict[str, object]:
        return {"kind": "member", "key": self.keys, "max_parameters": None}

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        members = [candidates.named(key, key) for key in self.keys.split("+")]
        keys = tuple(member.key for member in members)
        if len(members) == 1:
            return SelectedTeachers(keys, f"named: {describe(members[0])}")
        counts = Counter(keys)
        words = [
            f"{describe(member)}{f' {counts[key]} times' if counts[key] > 1 else ''}"
            for key, member in dict(zip(keys, members, strict=True)).items()
        ]
        return SelectedTeachers(keys, f"average of {len(keys)} named members: {', '.join(words)}")
