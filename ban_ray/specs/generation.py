"""Generations: everything that decides a trained network, its teachers included; keyed by a hash of its inputs."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from ban_ray.specs.base import Sha256, Spec
from ban_ray.specs.canonical import digest
from ban_ray.specs.objective import Objective
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.task import Task

SEMANTICS_VERSION = 1
"""Raised by hand when a change of the training code changes what a spec computes."""


class Generation(Spec):
    """Everything that decides the bits of one trained network.

    Attributes:
        network: normalised name, or ``package.module:function`` of the user's own builder.
        shared_layers: ``copied`` starts the first convolution and the last linear layer from the first teacher's;
            ``frozen`` does not train them either (ICML 2018, BAN-ResNets).
        network_arguments: of the user's own builder.
        network_version: of the user's own builder: a text that the user chose, or ``source:`` and a digest of the
            code, which `ban_ray.networks.source_version` computes.
        seed: of initialisation, order, dropout and permutations.
        augmentation_seed: of crops and flips; by default `seed`.
        teachers: keys of the members whose averaged probabilities teach this one; empty for labels only.
        initial_weights: SHA-256 of the safetensors file that it starts from, in place of weights drawn by `seed`; its
            head is drawn where the file's has another number of classes.
    """

    task: Task
    network: str
    recipe: Recipe
    objective: Objective
    seed: Annotated[int, Field(ge=0)]
    augmentation_seed: Annotated[int, Field(ge=0)] | None = None
    teachers: tuple[Sha256, ...] = ()
    network_arguments: dict[str, JsonValue] = Field(default_factory=dict)
    network_version: str = ""
    shared_layers: Literal["none", "copied", "frozen"] = "none"
    initial_weights: Sha256 | None = None

    @model_validator(mode="after")
    def _teachers_fit_the_objective(self) -> Self:
        if self.objective.needs_teacher and not self.teachers:
            raise ValueError(f"objective {self.objective} needs a teacher and none is named")
        if self.shared_layers != "none" and not self.teachers:
            raise ValueError(f"shared_layers = {self.shared_layers} needs a teacher and none is named")
        if self.teachers and not self.objective.needs_teacher and self.shared_layers == "none":
            raise ValueError(f"objective {self.objective} reads no teacher but {len(self.teachers)} are named")
        return self

    @model_validator(mode="after")
    def _outputs_of_no_teacher_are_online(self) -> Self:
        """A network that reads no teacher is the same whether teachers' outputs are cached, so its key is too."""
        if not self.objective.needs_teacher and self.recipe.teacher_outputs != "online":
            self.__dict__["recipe"] = self.recipe.model_copy(update={"teacher_outputs": "online"})
        return self

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of this spec and the training code's version."""
        return digest({"semantics_version": SEMANTICS_VERSION, **self.model_dump(exclude_defaults=True)})
