"""``label``: the labels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class Label(Loss):
    """Cross-entropy with the labels, ``mean_s -log q_s[y_s]`` (workshop equation 1)."""

    name = "label"
    needs_teacher = False

    label_weight: float
    label_smoothing: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        label = label_loss(inputs, self.label_smoothing)
        return LossTerms(inputs.steps * self.label_weight * label, label, None)


def label_loss(inputs: LossInputs, smoothing: float) -> Tensor:
    """Mean over samples of the cross-entropy with ``(1 - smoothing) onehot(y) + smoothing / C``."""
    import torch.nn.functional as F

    if inputs.mixed is None:
        return F.cross_entropy(inputs.logits, inputs.labels, label_smoothing=smoothing)
    return inputs.label_losses(smoothing).mean()
