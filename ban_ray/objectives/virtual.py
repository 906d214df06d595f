"""``virtual``: a teacher made of the label alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.objectives.ban import teacher_losses
from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register
from ban_ray.objectives.label import label_loss
from ban_ray.objectives.mix import negative_weights

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class VirtualTeacher(Loss):
    """``(1 - xi) label + xi ban`` of a virtual teacher: ``p_y = confidence``, the other classes share the rest equally.

    Teacher-free distillation, Tf-KD_reg (Yuan et al. 2020, equations 9 and 10), whose temperature is 20.
    """

    name = "virtual"
    needs_teacher = False

    xi: float
    confidence: float
    temperature: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        import torch

        others = (1 - self.confidence) / (inputs.logits.shape[1] - 1)

        def losses(labels: Tensor) -> Tensor:
            teacher = torch.full_like(inputs.logits, others).scatter(1, labels[:, None], self.confidence).log()
            return teacher_losses(inputs.logits, teacher.detach(), self.temperature)

        label, matching = label_loss(inputs, 0.0), inputs.by_label(losses).mean()
        return LossTerms(inputs.steps * ((1 - self.xi) * label + self.xi * matching), label, matching)

    def warning(self) -> str:
        return negative_weights(self.xi)
