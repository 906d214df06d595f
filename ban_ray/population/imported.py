"""Generations whose weights were trained elsewhere, as teachers."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ban_ray.specs import Generation, Objective, Recipe
from ban_ray.specs.base import Sha256, Spec
from ban_ray.specs.chain import LABEL


class Imported(Spec):
    """The origin of a network that was trained elsewhere.

    Attributes:
        weights: SHA-256 of the member's weights file.
        split_declared: whether the user said which samples it was trained on.
    """

    weights: Sha256
    split_declared: bool


class ImportedGeneration(Generation):
    """A generation that is defined by its weights, since its training is not known.

    Recipe, objective, seeds and teachers keep their defaults and mean nothing. Where the split was not declared the
    task's protocol is ``paper``: as a network that may have seen every training sample it is refused wherever
    held-out samples count. It cannot be trained; students name its key.
    """

    imported: Imported
    recipe: Recipe = Recipe()
    objective: Objective = LABEL
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _says_nothing_about_training(self) -> Self:
        unknown = ("recipe", "objective", "seed", "augmentation_seed", "teachers", "shared_layers", "initial_weights")
        given = [name for name in unknown if getattr(self, name) != type(self).model_fields[name].default]
        if given:
            raise ValueError(f"{', '.join(given)} of an imported network cannot be known")
        if not self.imported.split_declared and self.task.protocol != "paper":
            raise ValueError("an imported network whose split is not declared has the protocol paper")
        return self
