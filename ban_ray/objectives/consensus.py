"""``consensus``: the labels of the samples for which the teacher agrees with them."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register


@register
@dataclass(frozen=True)
class ConsensusLabels(Loss):
    """``sum_s a_s (-log q_s[y_s]) / sum_s a_s`` with ``a_s = 1`` where ``argmax_c p_sc = y_s``, else 0.

    Consensus-based retraining (Das et al. 2025): the other samples are left out. The sum in the denominator is of the
    batch of all workers, in each unrolled step on its own; a batch without consensus has a loss of 0. Of a mixed image
    the label with the larger share counts.
    """

    name = "consensus"

    label_weight: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        steps, workers = inputs.steps, inputs.workers
        agrees = (inputs.teacher.argmax(1) == inputs.labels).to(inputs.logits.dtype).view(steps, -1)
        weights = (agrees / workers.total(agrees.sum(1, keepdim=True)).clamp_min(1)).view(-1)
        label = workers.count / steps * (weights * inputs.label_losses()).sum()
        return LossTerms(steps * self.label_weight * label, label, None)
