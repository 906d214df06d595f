"""The base class of losses, what they read and return, and their registry; imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

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


class MixedLabels(NamedTuple):
    """The second labels of images that mix two, as mixup and CutMix do.

    Attributes:
        others: (b,) labels.
        shares: (b,) of the first labels, 0.5 to 1.
    """

    others: Tensor
    shares: Tensor


@dataclass(frozen=True)
class LossInputs:
    """A worker's part of a mini-batch, b samples of C classes.

    A network that is unrolled in time has t such mini-batches, one after the other in the rows.

    Attributes:
        logits: (t * b, C) of the student, in float32 or better, which is the precision of the loss.
        labels: (t * b,).
        mixed: None unless images are mixed.
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
    mixed: MixedLabels | None = None

    def label_losses(self, smoothing: float = 0.0) -> Tensor:
        """(t * b,) cross-entropies with the labels, of mixed images with both labels by their shares."""
        import torch.nn.functional as F

        def losses(labels: Tensor) -> Tensor:
            return F.cross_entropy(self.logits, labels, reduction="none", label_smoothing=smoothing)

        if self.mixed is None:
            return losses(self.labels)
        return losses(self.mixed.others).lerp(losses(self.labels), self.mixed.shares)

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
