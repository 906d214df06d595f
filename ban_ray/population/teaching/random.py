"""``random``: any member, each as likely."""

import random
from dataclasses import dataclass
from typing import ClassVar

from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe


@register
@dataclass(frozen=True)
class Random(TeacherPolicy):
    """What the other policies have to beat."""

    name = "random"
    form = "random"
    pattern = "random"
    is_drawn: ClassVar[bool] = True

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        members = candidates.chosen_by(self.text)
        drawn = random.Random(seed).choice(members).member
        return SelectedTeachers((drawn.key,), f"drawn from {len(members)} members: {describe(drawn)}")
