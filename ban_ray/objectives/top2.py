"""``top2``: the teacher's two most probable classes as a partial label."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register


@register
@dataclass(frozen=True)
class TopTwoPartialLabels(Loss):
    """``mean_s -(log q_sa + log q_sb) / 2``, a and b the two most probable classes of p_s, the first ones on ties.

    The refined partial labels of one round that stand for many rounds under label noise (Jeong and Chung 2025).
    """

    name = "top2"

    teacher_weight: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        top = inputs.teacher.argsort(dim=1, descending=True, stable=True)[:, :2]
        matching = -inputs.logits.log_softmax(1).gather(1, top).mean()
        return LossTerms(inputs.steps * self.teacher_weight * matching, None, matching)
