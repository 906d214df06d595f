"""``parent``: each generation is taught by the one before it, and the first learns from labels."""

from dataclasses import dataclass
from typing import ClassVar

from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates


@register
@dataclass(frozen=True)
class Parent(TeacherPolicy):
    """No member of the population teaches."""

    name = "parent"
    form = "parent"
    pattern = "parent"
    takes_members: ClassVar[bool] = False
    ignores_population: ClassVar[bool] = True

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        return SelectedTeachers((), "labels")
