"""``self-ema``: the network's own moving average as its teacher, in one training."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.ban import teacher_loss
from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register
from ban_ray.objectives.label import label_loss
from ban_ray.objectives.mix import negative_weights


@register
@dataclass(frozen=True)
class OwnAverageTeacher(Loss):
    """``(1 - xi) label + xi ban`` of the exponential moving average of the network's own weights.

    A mean teacher (Tarvainen and Valpola 2017) on labelled samples, and self-distillation without a second training as
    in PS-KD (Kim et al. 2021), whose teacher is the network after the last epoch.
    """

    name = "self-ema"
    needs_teacher = False
    needs_own_average = True

    xi: float
    temperature: float
    teacher_decay: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        label = label_loss(inputs, 0.0)
        matching = teacher_loss(inputs.logits, inputs.teacher, self.temperature)
        return LossTerms(inputs.steps * ((1 - self.xi) * label + self.xi * matching), label, matching)

    def warning(self) -> str:
        return negative_weights(self.xi)
