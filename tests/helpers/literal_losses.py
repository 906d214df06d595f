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


def targets(z: Matrix, t: Matrix) -> LossAndGradient:
    """Mean over samples of -sum_c t_c log q_c."""
    log_q = log_softmax(z)
    return -(t * log_q).sum() / len(z), (np.exp(log_q) * t.sum(1, keepdims=True) - t) / len(z)


def hard(z: Matrix, log_p: Matrix) -> LossAndGradient:
    """Cross-entropy with the first of the teacher's most probable classes."""
    t = np.zeros(z.shape)
    for row, entries in enumerate(log_p):
        t[row, list(entries).index(max(entries))] = 1
    return targets(z, t)


def top2(z: Matrix, log_p: Matrix) -> LossAndGradient:
    """Cross-entropy with half of the mass on each of the teacher's two most probable classes."""
    t = np.zeros(z.shape)
    for row, entries in enumerate(log_p):
        t[row, sorted(range(len(entries)), key=lambda c, entries=entries: (-entries[c], c))[:2]] = 0.5  # type: ignore[misc]
    return targets(z, t)


def consensus(z: Matrix, y: Labels, log_p: Matrix) -> LossAndGradient:
    """Mean cross-entropy with the labels of those samples whose label is the teacher's most probable class."""
    rows = [row for row, entries in enumerate(log_p) if list(entries).index(max(entries)) == y[row]]
    gradient = np.zeros(z.shape)
    if not rows:
        return 0.0, gradient
    value, gradient[rows] = label(z[rows], y[rows])
    return value, gradient


def virtual(z: Matrix, y: Labels, confidence: float, temperature: float) -> LossAndGradient:
    """The loss of a teacher that gives the label this probability, and the other classes equal ones."""
    p = np.full(z.shape, (1 - confidence) / (z.shape[1] - 1))
    p[np.arange(len(z)), y] = confidence
    return ban(z, np.log(p), temperature)


def beta(z: Matrix, y: Labels, log_p: Matrix, draws: Matrix, a: float) -> LossAndGradient:
    """Smoothing by draws from Beta(a, 1), whose distribution function is b^a, ranked like p of the labels."""
    amounts = sorted(draws[:, 0] ** (1 / a))
    ranked = sorted(range(len(z)), key=lambda row: (log_p[row, y[row]], row))
    t = np.zeros(z.shape)
    for amount, row in zip(amounts, ranked, strict=True):
        t[row] = (1 - amount) / (z.shape[1] - 1)
        t[row, y[row]] = amount
    return targets(z, t)


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


def mixed(objective: Objective, batch: Batch, teacher: LossAndGradient) -> LossAndGradient:
    """The label loss and another one, in shares 1 - xi and xi."""
    return weighted((1 - objective.xi, label(batch.z, batch.y)), (objective.xi, teacher))


REFERENCES: dict[str, Reference] = {
    "label": lambda o, b: weighted((o.label_weight, label(b.z, b.y, o.label_smoothing))),
    "ban": lambda o, b: weighted((o.teacher_weight, ban(b.z, b.log_p, o.temperature))),
    "ban+l": lambda o, b: weighted(
        (o.label_weight, label(b.z, b.y, o.label_smoothing)), (o.teacher_weight, ban(b.z, b.log_p, o.temperature))
    ),
    "cwtm": lambda o, b: weighted((o.label_weight, cwtm(b.z, b.y, b.log_p))),
    "dkpp": lambda o, b: weighted((o.teacher_weight, ban(b.z, permuted(b.log_p, b.draws)))),
    "hard": lambda o, b: weighted((o.teacher_weight, hard(b.z, b.log_p))),
    "top2": lambda o, b: weighted((o.teacher_weight, top2(b.z, b.log_p))),
    "consensus": lambda o, b: weighted((o.label_weight, consensus(b.z, b.y, b.log_p))),
    "mix": lambda o, b: mixed(o, b, ban(b.z, b.log_p, o.temperature)),
    "self-ema": lambda o, b: mixed(o, b, ban(b.z, b.log_p, o.temperature)),
    "virtual": lambda o, b: mixed(o, b, virtual(b.z, b.y, o.confidence, o.temperature)),
    "beta": lambda o, b: mixed(o, b, beta(b.z, b.y, b.log_p, b.draws, o.beta)),
}


def reference(objective: Objective, batch: Batch) -> LossAndGradient:
    return REFERENCES[objective.name](objective, batch)
