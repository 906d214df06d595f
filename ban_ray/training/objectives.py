"""The papers' objectives as pure functions of tensors: summed over classes, averaged over the batch.

Student logits z and teacher log-probabilities log p are (b, C), labels y are (b,); q is the student's
softmax. Arithmetic is in the inputs' precision, which is float32 or better.

A network that is unrolled in time has t such mini-batches, one after the other in the rows: (t * b, C) and (t * b,).
What is minimised is then averaged over each step's mini-batch and summed over the t steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ban_ray.specs import Objective


@dataclass(frozen=True)
class LossTerms:
    """A loss and its unweighted parts; `total` is what is minimised, summed over unrolled steps, the parts are means
    over all rows."""

    total: Tensor
    label: Tensor | None
    teacher: Tensor | None


@dataclass(frozen=True)
class WorkerReduction:
    """The processes that share a batch: how many, and how to sum a tensor over them."""

    count: int = 1
    total: Callable[[Tensor], Tensor] = lambda tensor: tensor


SINGLE_WORKER = WorkerReduction()


def label_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy with the labels: mean over samples of ``-log q[y]``."""
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def teacher_loss(logits: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross-entropy with the teacher: mean over samples of ``-sum_c p_c log q_c`` (workshop equation 2).

    With a temperature T other than 1: ``T^2 KL(p_T || q_T)`` (Hinton et al. 2015), which neither paper uses.
    """
    if temperature == 1.0:
        return -(teacher.exp() * F.log_softmax(logits, 1)).sum(1).mean()
    softened = F.log_softmax(teacher / temperature, 1)
    student = F.log_softmax(logits / temperature, 1)
    return temperature**2 * F.kl_div(student, softened, reduction="batchmean", log_target=True)


def cwtm_loss(
    logits: Tensor, labels: Tensor, teacher: Tensor, workers: WorkerReduction = SINGLE_WORKER, steps: int = 1
) -> Tensor:
    """Confidence weighted by teacher max: ``sum_s w_s (-log q_s[y_s])``, ``w_s = max p_s / sum_u max p_u``.

    The weights sum to 1 over the whole batch of all workers, at each unrolled step on its own; the result is the mean
    over the steps. The local sum is multiplied by the number of workers, since gradients are averaged over them.
    """
    confidence = teacher.max(1).values.exp().view(steps, -1)
    weights = (confidence / workers.total(confidence.sum(1, keepdim=True))).view(-1)
    return workers.count / steps * (weights * F.cross_entropy(logits, labels, reduction="none")).sum()


def permute_dark_knowledge(teacher: Tensor, uniform_draws: Tensor) -> Tensor:
    """In each sample on its own, permute the non-argmax entries; the argmax (the first on ties) stays.

    Args:
        teacher: (b, C) log-probabilities.
        keys: (b, C) independent uniform draws; their order within a row is the permutation.
    """
    top = teacher.argmax(1, keepdim=True)
    places = torch.arange(teacher.shape[1], device=teacher.device).expand_as(teacher)
    # Sorting with the argmax in front lists it first and the other classes behind it.
    old = uniform_draws.scatter(1, top, -1.0).argsort(1)
    new = places.scatter(1, top, -1).argsort(1)
    return teacher.scatter(1, new, teacher.gather(1, old))


def loss(
    objective: Objective,
    logits: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    *,
    uniform_draws: Tensor | None = None,
    workers: WorkerReduction = SINGLE_WORKER,
    steps: int = 1,
) -> LossTerms:
    """The loss of a worker's part of a mini-batch.

    Args:
        logits: (b, C) of the student.
        labels: (b,).
        teacher: (b, C) log-probabilities, None where the objective reads none.
        keys: (b, C) uniform draws for `dkpp`.
        steps: unrolled in time, each with its own equal part of the rows.

    Raises:
        ValueError: the objective needs a teacher or draws that were not given.
    """
    a, t = steps * objective.label_weight, steps * objective.teacher_weight
    if objective.name == "label":
        label = label_loss(logits, labels, objective.label_smoothing)
        return LossTerms(a * label, label, None)
    if teacher is None:
        raise ValueError(f"objective {objective} needs the teacher's log-probabilities")
    if objective.name == "ban":
        matching = teacher_loss(logits, teacher, objective.temperature)
        return LossTerms(t * matching, None, matching)
    if objective.name == "ban+l":
        label = label_loss(logits, labels, objective.label_smoothing)
        matching = teacher_loss(logits, teacher, objective.temperature)
        return LossTerms(a * label + t * matching, label, matching)
    if objective.name == "cwtm":
        label = cwtm_loss(logits, labels, teacher, workers, steps)
        return LossTerms(a * label, label, None)
    if uniform_draws is None:
        raise ValueError(f"objective {objective} needs uniform draws for its permutation")
    matching = teacher_loss(logits, permute_dark_knowledge(teacher, uniform_draws))
    return LossTerms(t * matching, None, matching)
