"""``beta``: labels smoothed by an amount of each sample's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register
from ban_ray.objectives.label import label_loss
from ban_ray.objectives.mix import negative_weights

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class BetaSmoothing(Loss):
    """``(1 - xi) label + xi smoothed``, the latter with ``t_y = b_s``, the other classes sharing the rest equally.

    The b_s of a batch are draws from Beta(`beta`, 1), the larger ones for the samples whose labels are the more
    probable to the moving average of the network (Zhang and Sabuncu 2020, algorithm 1): label smoothing that has the
    diversity of a teacher's confidences without a teacher. The batch is that of all workers, in each unrolled step on
    its own.
    """

    name = "beta"
    needs_teacher = False
    needs_own_average = True
    draws = "smoothing"

    xi: float
    beta: float
    teacher_decay: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        import torch.nn.functional as F

        smoothed_weights = self._label_weights(inputs)
        log_q = F.log_softmax(inputs.logits, 1)

        def losses(labels: Tensor) -> Tensor:
            on_label = log_q.gather(1, labels[:, None]).squeeze(1)
            others = (log_q.sum(1) - on_label) / (log_q.shape[1] - 1)
            return -(smoothed_weights * on_label + (1 - smoothed_weights) * others)

        label, smoothed = label_loss(inputs, 0.0), inputs.by_label(losses).mean()
        return LossTerms(inputs.steps * ((1 - self.xi) * label + self.xi * smoothed), label, smoothed)

    def warning(self) -> str:
        return negative_weights(self.xi)

    def _label_weights(self, inputs: LossInputs) -> Tensor:
        """(t * b,) the b_s of this worker's samples."""
        import torch

        workers, steps = inputs.workers, inputs.steps
        confidence = inputs.teacher.gather(1, inputs.labels[:, None]).view(steps, -1)
        amounts = inputs.draws[:, 0].view(steps, -1) ** (1 / self.beta)
        both = workers.gather(torch.cat([confidence, amounts.to(confidence)]))
        order = both[:steps].argsort(dim=1, stable=True)
        weights = torch.empty_like(both[:steps]).scatter_(1, order, both[steps:].sort(1).values)
        return weights[:, workers.own_columns(confidence.shape[1])].reshape(-1)
