"""``ban``: the teacher alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class BornAgain(Loss):
    """Cross-entropy with the teacher, ``mean_s -sum_c p_sc log q_sc`` (second term of workshop equations 2 and 3).

    With a temperature T other than 1: ``T^2 KL(p_T || q_T)`` (Hinton et al. 2015), which the papers do not use.
    """

    name = "ban"

    teacher_weight: float
    temperature: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        matching = teacher_loss(inputs.logits, inputs.teacher, self.temperature)
        return LossTerms(inputs.steps * self.teacher_weight * matching, None, matching)


def teacher_loss(logits: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Mean over samples of the loss of `BornAgain`, of logits and log-probabilities (b, C)."""
    import torch.nn.functional as F

    if temperature == 1.0:
        return teacher_losses(logits, teacher).mean()
    student, softened = _softened(logits, teacher, temperature)
    return temperature**2 * F.kl_div(student, softened, reduction="batchmean", log_target=True)


def teacher_losses(logits: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """(b,) losses of `BornAgain`, of logits and log-probabilities (b, C)."""
    import torch.nn.functional as F

    if temperature == 1.0:
        return -(teacher.exp() * F.log_softmax(logits, 1)).sum(1)
    student, softened = _softened(logits, teacher, temperature)
    return temperature**2 * F.kl_div(student, softened, reduction="none", log_target=True).sum(1)


def _softened(logits: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probabilities of student and teacher at a temperature."""
    import torch
    import torch.nn.functional as F

    # A class to which the teacher gives nothing adds nothing: 0 * (-inf - x) would be NaN.
    softened = F.log_softmax(teacher / temperature, 1).clamp_min(torch.finfo(teacher.dtype).min)
    return F.log_softmax(logits / temperature, 1), softened
