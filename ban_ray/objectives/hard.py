"""``hard``: the teacher's most probable class as the label."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register


@register
@dataclass(frozen=True)
class HardTeacherLabels(Loss):
    """``mean_s -log q_s[argmax_c p_sc]``, the first class on ties.

    Retraining on predicted labels (Das et al. 2025), and the hard distillation of DeiT (Touvron et al. 2021) without
    its labels.
    """

    name = "hard"

    teacher_weight: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        import torch.nn.functional as F

        matching = F.cross_entropy(inputs.logits, inputs.teacher.argmax(1))
        return LossTerms(inputs.steps * self.teacher_weight * matching, None, matching)
