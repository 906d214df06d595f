"""``tournament:K``: the best of K members drawn at random."""

import random
from dataclasses import dataclass
from typing import ClassVar

from ban_ray.population.teaching.base import WHOLE, SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe


@register
@dataclass(frozen=True)
class Tournament(TeacherPolicy):
    """The lowest held-out error of K different members wins, of all where there are fewer (Goldberg and Deb 1991)."""

    name = "tournament"
    form = "tournament:K"
    pattern = f"tournament:{WHOLE}"
    is_drawn: ClassVar[bool] = True

    size: int

    @property
    def text(self) -> str:
        return f"tournament:{self.size}"

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        members = candidates.chosen_by(self.text)
        drawn = random.Random(seed).sample(range(len(members)), min(self.size, len(members)))
        # Candidates are ordered from the best on.
        best = members[min(drawn)]
        metric = candidates.metric
        return SelectedTeachers(
            (best.key,),
            f"lowest held-out {metric.name} ({metric.text(best.error)}) of {len(drawn)} drawn from {len(members)} "
            f"members: {describe(best.member)}",
        )
