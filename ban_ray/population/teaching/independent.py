"""``independent:K``: K members that learned from labels alone, drawn at random and averaged."""

import random
from dataclasses import dataclass
from typing import ClassVar

from ban_ray.errors import UserError
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.teaching.base import WHOLE, SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe


@register
@dataclass(frozen=True)
class Independent(TeacherPolicy):
    """An ensemble of networks none of which descends from another, with what a chosen one has to be compared."""

    name = "independent"
    form = "independent:K"
    pattern = f"independent:{WHOLE}"
    is_drawn: ClassVar[bool] = True

    size: int

    @property
    def text(self) -> str:
        return f"independent:{self.size}"

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        untaught = [
            member
            for *_, member in candidates.chosen_by(self.text)
            if not member.generation.teachers and not isinstance(member.generation, ImportedGeneration)
        ]
        if len(untaught) < self.size:
            raise UserError(
                f"--teacher {self.text}: {len(untaught)} members of this task and split in "
                f"{candidates.population.storage.url} learned from labels alone; train more first"
            )
        positions = sorted(random.Random(seed).sample(range(len(untaught)), self.size))
        drawn = [untaught[position] for position in positions]
        return SelectedTeachers(
            tuple(member.key for member in drawn),
            f"average of {self.size} drawn from {len(untaught)} members that learned from labels alone: "
            f"{', '.join(map(describe, drawn))}",
        )
