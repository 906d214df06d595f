"""``mix``: labels and teacher in shares that sum to 1."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.ban import teacher_loss
from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register
from ban_ray.objectives.label import label_loss


@register
@dataclass(frozen=True)
class LabelTeacherMixture(Loss):
    """``(1 - xi) label + xi ban``, the cross-entropy with ``(1 - xi) onehot(y) + xi p`` at temperature 1.

    ``xi`` may be above 1, which counts the labels negatively and may be best under much label noise (Das and Sanghavi
    2023), or below 0 (Dang, Patil and Rinaldo 2026). The cross-entropy of a sample has a lower bound only where no
    class has a negative weight: with ``0 <= xi <= 1``, and with ``xi > 1`` where ``p_y >= (xi - 1) / xi``.
    """

    name = "mix"

    xi: float
    temperature: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        label = label_loss(inputs, 0.0)
        matching = teacher_loss(inputs.logits, inputs.teacher, self.temperature)
        return LossTerms(inputs.steps * ((1 - self.xi) * label + self.xi * matching), label, matching)

    def warning(self) -> str:
        return negative_weights(self.xi)


def negative_weights(xi: float) -> str:
    """The warning for a share outside 0 to 1."""
    if 0 <= xi <= 1:
        return ""
    which = "classes other than the label" if xi < 0 else "labels of which the teacher is not sure"
    return f"xi = {xi:g} gives {which} negative weights, with which a loss has no lower bound and may diverge"
