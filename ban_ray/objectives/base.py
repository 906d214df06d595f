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
    """The processes that share a batch: how many there are, how to sum a tensor over them, and which one this is.

    Micro-batches of a process count as processes of their own. No gradient flows through a sum, and what is summed does
    not depend on the logits, which are known for one micro-batch at a time.
    """

    count: int = 1
    total: Callable[[Tensor], Tensor] = lambda tensor: tensor
    index: int = 0

    def gather(self, tensor: Tensor) -> Tensor:
        """The tensors (t, b) of all processes, beside each other in the order of the batch: (t, count * b)."""
        size = tensor.shape[1]
        whole = tensor.new_zeros(tensor.shape[0], self.count * size)
        whole[:, self.own_columns(size)] = tensor
        return self.total(whole)

    def own_columns(self, size: int) -> slice:
        """Where the `size` samples of this process lie in what `gather` returns."""
        return slice(self.index * size, (self.index + 1) * size)


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

        return self.by_label(lambda y: F.cross_entropy(self.logits, y, reduction="none", label_smoothing=smoothing))

    def by_label(self, losses: Callable[[Tensor], Tensor]) -> Tensor:
        """(t * b,) losses of labels (t * b,), of mixed images the mean for both labels by their shares."""
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
        needs_teacher: whether it reads the log-probabilities of members that teach.
        needs_own_average: whether it reads those of the exponential moving average of the network's own weights, as
            `ban_ray.training.own_average` keeps it; a loss has this teacher or the other or none.
        draws: the purpose given to `ban_ray.specs.derive_seed` for its uniform random numbers, which are a function of
            the generation's seed, this purpose, the epoch and the step; empty if it draws none.
    """

    name: ClassVar[str]
    needs_teacher: ClassVar[bool] = True
    needs_own_average: ClassVar[bool] = False
    draws: ClassVar[str] = ""

    @abstractmethod
    def __call__(self, inputs: LossInputs) -> LossTerms:
        """The loss of a worker's part of a mini-batch; gradients are averaged over the workers afterwards.

        Raises:
            ValueError: the inputs lack the teacher or the draws that it reads.
        """

    def warning(self) -> str:
        """What a user should know before such a training starts, a clause; empty for nothing."""
        return ""

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
