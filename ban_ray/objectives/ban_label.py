"""``ban+l``: labels and teacher together."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.ban import teacher_loss
from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register
from ban_ray.objectives.label import label_loss


@register
@dataclass(frozen=True)
class BornAgainWithLabels(Loss):
    """The weighted sum of `label` and `ban` (workshop equations 2 and 3, both weights 1)."""

    name = "ban+l"

    label_weight: float
    label_smoothing: float
    teacher_weight: float
    temperature: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        label = label_loss(inputs, self.label_smoothing)
        matching = teacher_loss(inputs.logits, inputs.teacher, self.temperature)
        total = inputs.steps * self.label_weight * label + inputs.steps * self.teacher_weight * matching
        return LossTerms(total, label, matching)
