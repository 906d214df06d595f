"""One training step: the teacher's forward pass, the student's forward and backward pass, and the update."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ban_ray.objectives import Loss, LossInputs, MixedLabels, WorkerReduction
from ban_ray.specs import Recipe
from ban_ray.training import distributed
from ban_ray.training.meters import Meters
from ban_ray.training.optimizer import Optimiser
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

    @property
    def mixed(self) -> MixedLabels | None:
        if self.other_labels is None or self.shares is None:
            return None
        return MixedLabels(self.other_labels, self.shares)

    def chunk(self, parts: int) -> "list[StepInputs]":
        """So many equal parts of the batch, of images."""
        fields = [(None,) * parts if tensor is None else tensor.chunk(parts) for tensor in self]
        return [StepInputs(*part) for part in zip(*fields, strict=True)]


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
    optimiser: Optimiser
    meters: Meters
    recipe: Recipe

    def __call__(self, step: StepInputs, learning_rate: float | Tensor) -> None:
        if self.recipe.micro_batches > 1:
            self._accumulate_gradients(step)
        else:
            self._compute_gradients(step)
        if self.recipe.clip is not None:
            clip_grad_norm_(self.optimiser.parameters, self.recipe.clip)
        self.optimiser.step(learning_rate)

    def _compute_gradients(self, step: StepInputs) -> None:
        recipe, teacher_log_probs = self.recipe, step.teacher_log_probs
        with autocast(recipe, step.labels.device):
            if teacher_log_probs is None and self.teacher is not None:
                teacher_log_probs = self.teacher(step.inputs)
            logits = self.model(step.inputs).float()
        given = (logits, step.labels, teacher_log_probs, step.uniform_draws, distributed.workers(), recipe.unroll)
        terms = self.compute_loss(LossInputs(*given, step.mixed))
        self.optimiser.zero_grad()
        terms.total.backward()  # type: ignore[no-untyped-call]
        self.meters.add(terms, logits, step.labels, teacher_log_probs)

    def _accumulate_gradients(self, step: StepInputs) -> None:
        """The gradients of the whole batch, of which only one part at a time has activations.

        A loss is that of a batch which more workers share: their gradients are averaged, and what it sums over the
        workers it sums over the parts too.
        """
        recipe, parts, device = self.recipe, self.recipe.micro_batches, step.labels.device
        if step.teacher_log_probs is None and self.teacher is not None:
            with autocast(recipe, device):
                outputs = [self.teacher(part.inputs) for part in step.chunk(parts)]
            step = step._replace(teacher_log_probs=torch.cat(outputs))
        totals: _WholeBatchTotals | None = None
        self.optimiser.zero_grad()
        for number, part in enumerate(step.chunk(parts)):
            with self._gradients_stay_here() if number + 1 < parts else nullcontext():
                with autocast(recipe, device):
                    logits = self.model(part.inputs).float()
                if totals is None:
                    totals = _WholeBatchTotals(self.compute_loss, step, logits.shape[1])
                terms = self.compute_loss(
                    LossInputs(
                        logits,
                        part.labels,
                        part.teacher_log_probs,
                        part.uniform_draws,
                        totals.workers(parts, number),
                        mixed=part.mixed,
                    )
                )
                (terms.total / parts).backward()  # type: ignore[no-untyped-call]
            self.meters.add(terms, logits, part.labels, part.teacher_log_probs)

    def _gradients_stay_here(self) -> AbstractContextManager[None]:
        """A context in which a backward pass averages no gradients over the workers."""
        return self.model.no_sync() if distributed.world_size() > 1 else nullcontext()  # type: ignore[operator]


class _WholeBatchTotals:
    """What a loss sums over the workers, of all their batches: found once, and told to the loss of each part.

    A loss sums what does not depend on the logits, as `WorkerReduction` says.
    """

    def __init__(self, compute_loss: Loss, step: StepInputs, classes: int) -> None:
        self._totals: list[Tensor] = []
        logits = torch.zeros(len(step.labels), classes, device=step.labels.device)
        recording = replace(distributed.workers(), total=self._record)
        given = (logits, step.labels, step.teacher_log_probs, step.uniform_draws, recording)
        compute_loss(LossInputs(*given, mixed=step.mixed))

    def _record(self, tensor: Tensor) -> Tensor:
        self._totals.append(distributed.all_reduce_sum(tensor))
        return self._totals[-1]

    def workers(self, parts: int, number: int) -> WorkerReduction:
        """The reduction for the loss of a part."""
        totals = iter(self._totals)
        index = distributed.rank() * parts + number
        return WorkerReduction(distributed.world_size() * parts, lambda tensor: next(totals), index)
