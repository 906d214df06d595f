"""``generations:KEY``: a named member and the born-again generations that led to it, averaged."""

from dataclasses import dataclass
from typing import ClassVar, Self

from ban_ray.errors import UserError
from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe
from ban_ray.population.teaching.named import KEY


@register
@dataclass(frozen=True)
class Generations(TeacherPolicy):
    """The ensemble of a chain's born-again generations up to one of them (workshop equation 4), as a teacher."""

    name = "generations"
    form = "generations:KEY"
    pattern = f"generations:({KEY})"
    ignores_population: ClassVar[bool] = True

    key: str

    @classmethod
    def of_groups(cls, *groups: str) -> Self:
        return cls(groups[0])

    @property
    def text(self) -> str:
        return f"generations:{self.key}"

    def recorded(self) -> dict[str, object]:
        return {"kind": "generations", "key": self.key, "max_parameters": None}

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        from ban_ray.population.lineage import lineage

        member = candidates.named(self.key, self.key)
        ancestors = [ancestor.member for ancestor in lineage(candidates.population, member)]
        born_again = [ancestor for ancestor in ancestors if ancestor is not None and ancestor.generation.teachers]
        if not born_again:
            raise UserError(f"--teacher {self.text}: no born-again generations lead to {describe(member)}")
        for ancestor in born_again:
            candidates.require_fit(ancestor)
        return SelectedTeachers(
            tuple(ancestor.key for ancestor in born_again),
            f"average of the {len(born_again)} born-again generations up to {describe(member)}",
        )
