"""``epoch:E``: each generation is taught by the one before it as that was after an earlier epoch.

A network that has not converged may teach better than one that has (Cho and Hariharan 2019).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from ban_ray.errors import UserError
from ban_ray.population.teaching.base import WHOLE, SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates
from ban_ray.specs import Chain, TablePosition


@register
@dataclass(frozen=True)
class Epoch(TeacherPolicy):
    """Every generation but the last ends after an epoch, at the schedule's learning rate of all of them.

    Such a generation is a member of its own: its recipe has a `stop_epoch`.
    """

    name = "epoch"
    form = "epoch:E"
    pattern = f"epoch:{WHOLE}"
    takes_members: ClassVar[bool] = False
    ignores_population: ClassVar[bool] = True

    epoch: int

    @property
    def text(self) -> str:
        return f"epoch:{self.epoch}"

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        return SelectedTeachers((), "labels")

    def chain(self, chain: Chain) -> Chain:
        *teachers, last = chain.generations
        if not teachers:
            raise UserError(f"--teacher {self.text} has no effect: no generation of one chain teaches another")
        for generation in teachers:
            if self.epoch >= generation.recipe.trained_epochs:
                raise UserError(
                    f"--teacher {self.text} must be an earlier epoch than a generation's last, which is "
                    f"{generation.recipe.trained_epochs}"
                )
        return chain.with_recipes(
            [*(g.recipe.model_copy(update={"stop_epoch": self.epoch}) for g in teachers), last.recipe]
        )

    def place(self, position: TablePosition) -> TablePosition:
        # A gain over a network that was not trained to its end is not one over the baseline.
        *teachers, last = position.columns
        return replace(position, columns=(*(f"{column} to epoch {self.epoch}" for column in teachers), last))
