"""One training step: the teacher's forward pass, the student's forward and backward pass, and the update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ban_ray.objectives import Loss, LossInputs
from ban_ray.specs import Recipe
from ban_ray.training import distributed
from ban_ray.training.meters import Meters
from ban_ray.training.optimizer import SGD
from ban_ray.training.precision import autocast


class StepInputs(NamedTuple):
    """What a step reads, on its device.

    Attributes:
        inputs: of b samples, as the network takes them.
        labels: (b,), of a text (unroll * b,).
        teacher_log_probs: (b, C), or None if the step computes them or needs none.
        uniform_draws: (b, C) of the objective, or None if it draws none.
        other_labels, shares: (b,) of mixed images, else None; see `ban_ray.objectives.MixedLabels`.
    """

    inputs: Tensor
    labels: Tensor
    teacher_log_probs: Tensor | None = None
    uniform_draws: Tensor | None = None
    other_labels: Tensor | None = None
    shares: Tensor | None = None


@dataclass(frozen=True)
class TrainingStep:
    """Trains a network on one batch; nothing in it waits for the device.

    Attributes:
        model: called on the inputs; the network, or what wraps it to average gradients.
        teacher: called on the inputs unless they come with its outputs; None if the objective needs none.
        meters: sums to which the step adds.
    """

    model: nn.Module
    teacher: Callable[[Tensor], Tensor] | None
    compute_loss: Loss
    optimiser: SGD
    meters: Meters
    recipe: Recipe

    def __call__(self, step: StepInputs, learning_rate: float | Tensor) -> None:
        recipe, teacher_log_probs = self.recipe, step.teacher_log_probs
        with autocast(recipe, step.labels.device):
            if teacher_log_probs is None and self.teacher is not None:
                teacher_log_probs = self.teacher(step.inputs)
            logits = self.model(step.inputs).float()
        terms = self.compute_loss(
            LossInputs(logits, step.labels, teacher_log_probs, step.uniform_draws, distributed.workers(), recipe.unroll)
        )
        self.optimiser.zero_grad()
        terms.total.backward()  # type: ignore[no-untyped-call]
        if recipe.clip is not None:
            clip_grad_norm_(self.optimiser.parameters, recipe.clip)
        self.optimiser.step(learning_rate)
        self.meters.add(terms, logits, step.labels, teacher_log_probs)
