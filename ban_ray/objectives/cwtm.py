"""``cwtm``: confidence weighted by teacher max."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register


@register
@dataclass(frozen=True)
class ConfidenceWeightedByTeacherMax(Loss):
    """Labels weighted by the teacher's confidence (CWTM, ICML 2018).

    ``sum_s w_s (-log q_s[y_s])`` with ``w_s = max_c p_sc / sum_u max_c p_uc``. The weights sum to 1 over the batch of
    all workers, in each unrolled step on its own. The local sum is multiplied by the number of workers, since gradients
    are averaged over them.
    """

    name = "cwtm"

    label_weight: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        steps, workers = inputs.steps, inputs.workers
        confidence = inputs.teacher.max(1).values.exp().view(steps, -1)
        weights = (confidence / workers.total(confidence.sum(1, keepdim=True))).view(-1)
        label = workers.count / steps * (weights * inputs.label_losses()).sum()
        return LossTerms(steps * self.label_weight * label, label, None)
