"""The losses of all objectives in NumPy and double precision, one sample and class at a time where it helps.

Each entry of `REFERENCES` returns a loss and its gradient with respect to the logits, of one mini-batch of one worker.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.specs import Objective

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
LossAndGradient = tuple[float, Matrix]


def log_softmax(z: Matrix) -> Matrix:
    shifted = z - z.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def label(z: Matrix, y: Labels, smoothing: float = 0.0) -> LossAndGradient:
    """Mean over samples of the cross-entropy with (1 - s) one-hot + s / C."""
    b, classes = z.shape
    target = np.full((b, classes), smoothing / classes)
    target[np.arange(b), y] += 1 - smoothing
    log_q = log_softmax(z)
    return -(target * log_q).sum() / b, (np.exp(log_q) - target) / b


def ban(z: Matrix, log_p: Matrix, temperature: float = 1.0) -> LossAndGradient:
    """Mean over samples of -sum_c p_c log q_c; with another temperature than 1, T^2 KL(p_T || q_T)."""
    b = len(z)
    log_q = log_softmax(z / temperature)
    if temperature == 1.0:
        p = np.exp(log_p)
        return -(p * log_q).sum() / b, (np.exp(log_q) * p.sum(1, keepdims=True) - p) / b
    log_p = log_softmax(log_p / temperature)
    p = np.exp(log_p)
    value = temperature**2 * (p * (log_p - log_q)).sum() / b
    return value, temperature * (np.exp(log_q) - p) / b


def cwtm(z: Matrix, y: Labels, log_p: Matrix) -> LossAndGradient:
    """Sum over samples of w_s (-log q_s[y_s]), w_s = max p_s / sum_u max p_u; divided by nothing else."""
    confidence = np.exp(log_p).max(1)
    weights = confidence / confidence.sum()
    log_q = log_softmax(z)
    gradient = np.exp(log_q)
    gradient[np.arange(len(z)), y] -= 1
    return -(weights * log_q[np.arange(len(z)), y]).sum(), weights[:, None] * gradient


def permuted(log_p: Matrix, draws: Matrix) -> Matrix:
    """In each row on its own: the k-th of the non-argmax positions gets the entry whose draw is the k-th smallest."""
    result = log_p.copy()
    for row, entries in enumerate(log_p):
        top = int(np.argmax(entries))
        others = [column for column in range(len(entries)) if column != top]
        shuffled = sorted(others, key=lambda column, row=row: draws[row, column])  # type: ignore[misc]
        for column, source in zip(others, shuffled, strict=True):
            result[row, column] = entries[source]
    return result


@dataclass
class Batch:
    """Student logits z, labels y, teacher log-probabilities log_p and uniform draws of one mini-batch."""

    z: Matrix
    y: Labels
    log_p: Matrix
    draws: Matrix


Reference = Callable[[Objective, Batch], LossAndGradient]


def weighted(*parts: tuple[float, LossAndGradient]) -> LossAndGradient:
    values, gradients = zip(*((weight * value, weight * gradient) for weight, (value, gradient) in parts), strict=True)
    return sum(values), np.asarray(sum(gradients))


REFERENCES: dict[str, Reference] = {
    "label": lambda o, b: weighted((o.label_weight, label(b.z, b.y, o.label_smoothing))),
    "ban": lambda o, b: weighted((o.teacher_weight, ban(b.z, b.log_p, o.temperature))),
    "ban+l": lambda o, b: weighted(
        (o.label_weight, label(b.z, b.y, o.label_smoothing)), (o.teacher_weight, ban(b.z, b.log_p, o.temperature))
    ),
    "cwtm": lambda o, b: weighted((o.label_weight, cwtm(b.z, b.y, b.log_p))),
    "dkpp": lambda o, b: weighted((o.teacher_weight, ban(b.z, permuted(b.log_p, b.draws)))),
}


def reference(objective: Objective, batch: Batch) -> LossAndGradient:
    return REFERENCES[objective.name](objective, batch)
