"""``dkpp``: dark knowledge with permuted predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.objectives.ban import teacher_loss
from ban_ray.objectives.base import Loss, LossInputs, LossTerms, register

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class DarkKnowledgeWithPermutedPredictions(Loss):
    """`ban` of a teacher whose non-argmax probabilities are permuted (DKPP, ICML 2018).

    The permutation is another one for each sample and step.
    """

    name = "dkpp"
    draws = "permutation"

    teacher_weight: float

    def __call__(self, inputs: LossInputs) -> LossTerms:
        matching = teacher_loss(inputs.logits, permute_dark_knowledge(inputs.teacher, inputs.draws))
        return LossTerms(inputs.steps * self.teacher_weight * matching, None, matching)


def permute_dark_knowledge(teacher: Tensor, uniform_draws: Tensor) -> Tensor:
    """Permute the non-argmax entries of each row on its own; the argmax (the first on ties) keeps its position.

    Args:
        teacher: (b, C) log-probabilities.
        uniform_draws: (b, C) independent; their order within a row is the permutation.
    """
    import torch

    top = teacher.argmax(1, keepdim=True)
    classes = torch.arange(teacher.shape[1], device=teacher.device).expand_as(teacher)
    # Sorting with the argmax in front lists it first and the other classes behind it.
    old = uniform_draws.scatter(1, top, -1.0).argsort(1)
    new = classes.scatter(1, top, -1).argsort(1)
    return teacher.scatter(1, new, teacher.gather(1, old))
