"""The base class of losses, what they read and return, and their registry; imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WorkerReduction:
    """The processes that share a batch: how many there are, and how to sum a tensor over them.

    Micro-batches of a process count as processes of their own. No gradient flows through a sum, and what is summed does
    not depend on the logits, which are known for one micro-batch at a time.
    """

    count: int = 1
    total: Callable[[Tensor], Tensor] = lambda tensor: tensor


@dataclass(frozen=True)
class LossInputs:
    """A worker's part of a mini-batch, b samples of C classes.

    A network that is unrolled in time has t such mini-batches, one after the other in the rows.

    Attributes:
        logits: (t * b, C) of the student, in float32 or better, which is the precision of the loss.
        labels: (t * b,).
        teacher_log_probs: (t * b, C), None without a teacher.
        uniform_draws: (t * b, C) random numbers in [0, 1), None for a loss that draws none.
        steps: t.
    """

    logits: Tensor
    labels: Tensor
    teacher_log_probs: Tensor | None = None
    uniform_draws: Tensor | None = None
    workers: WorkerReduction = field(default_factory=WorkerReduction)
    steps: int = 1

    @property
    def teacher(self) -> Tensor:
        """The teacher's log-probabilities, through which no gradient flows."""
        if self.teacher_log_probs is None:
            raise ValueError("the objective needs the teacher's log-probabilities and none were given")
        return self.teacher_log_probs.detach()

    @property
    def draws(self) -> Tensor:
        if self.uniform_draws is None:
            raise ValueError("the objective needs uniform draws and none were given")
        return self.uniform_draws.detach()


@dataclass(frozen=True)
class LossTerms:
    """A loss and its unweighted parts, all scalars.

    Attributes:
        total: what is minimised: averaged over each step's mini-batch, summed over the unrolled steps.
        label, teacher: means over all rows of the part that reads the labels and of the part that matches the
            teacher; None where the objective has no such part.
    """

    total: Tensor
    label: Tensor | None
    teacher: Tensor | None


class Loss(ABC):
    """The loss of an objective.

    A subclass is a frozen dataclass whose fields are those of `ban_ray.specs.Objective` that it uses.

    Attributes:
        name: of the objective, in specs and on the command line.
        needs_teacher: whether it reads the teacher's log-probabilities.
        draws: the purpose given to `ban_ray.specs.derive_seed` for its uniform random numbers, which are a function of
            the generation's seed, this purpose, the epoch and the step; empty if it draws none.
    """

    name: ClassVar[str]
    needs_teacher: ClassVar[bool] = True
    draws: ClassVar[str] = ""

    @abstractmethod
    def __call__(self, inputs: LossInputs) -> LossTerms:
        """The loss of a worker's part of a mini-batch; gradients are averaged over the workers afterwards.

        Raises:
            ValueError: the inputs lack the teacher or the draws that it reads.
        """

    @classmethod
    def used_fields(cls) -> list[str]:
        return sorted(field.name for field in fields(cls))  # type: ignore[arg-type]


LOSSES: dict[str, type[Loss]] = {}
"""The registered losses by the names of their objectives."""

L = TypeVar("L", bound=Loss)


def register(loss: type[L]) -> type[L]:
    """Class decorator that makes a loss an objective.

    Raises:
        ValueError: another loss has its name.
    """
    if loss.name in LOSSES:
        raise ValueError(f"objective {loss.name!r} is registered twice")
    LOSSES[loss.name] = loss
    return loss
