"""The papers' objectives written out in NumPy and double precision, one sample and class at a time where it helps."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def log_softmax(z: Matrix) -> Matrix:
    shifted = z - z.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def label(z: Matrix, y: NDArray[np.int64], smoothing: float = 0.0) -> tuple[float, Matrix]:
    """Mean over samples of the cross-entropy with (1 - s) one-hot + s / C; value and gradient."""
    b, classes = z.shape
    target = np.full((b, classes), smoothing / classes)
    target[np.arange(b), y] += 1 - smoothing
    log_q = log_softmax(z)
    return -(target * log_q).sum() / b, (np.exp(log_q) - target) / b


def ban(z: Matrix, log_p: Matrix, temperature: float = 1.0) -> tuple[float, Matrix]:
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


def ban_l(
    z: Matrix,
    y: NDArray[np.int64],
    log_p: Matrix,
    *,
    temperature: float = 1.0,
    label_weight: float = 1.0,
    teacher_weight: float = 1.0,
    smoothing: float = 0.0,
) -> tuple[float, Matrix]:
    (one, slope), (other, other_slope) = label(z, y, smoothing), ban(z, log_p, temperature)
    return label_weight * one + teacher_weight * other, label_weight * slope + teacher_weight * other_slope


def cwtm(z: Matrix, y: NDArray[np.int64], log_p: Matrix) -> tuple[float, Matrix]:
    """Sum over samples of w_s (-log q_s[y_s]), w_s = max p_s / sum_u max p_u; divided by nothing else."""
    confidence = np.exp(log_p).max(1)
    weights = confidence / confidence.sum()
    log_q = log_softmax(z)
    slope = np.exp(log_q)
    slope[np.arange(len(z)), y] -= 1
    return -(weights * log_q[np.arange(len(z)), y]).sum(), weights[:, None] * slope


def permuted(log_p: Matrix, keys: Matrix) -> Matrix:
    """In each row on its own: the k-th of the non-argmax places gets the entry whose key is the k-th smallest."""
    made = log_p.copy()
    for row, entries in enumerate(log_p):
        top = int(np.argmax(entries))
        others = [place for place in range(len(entries)) if place != top]
        shuffled = sorted(others, key=lambda place, row=row: keys[row, place])  # type: ignore[misc]
        for place, source in zip(others, shuffled, strict=True):
            made[row, place] = entries[source]
    return made


def dkpp(z: Matrix, log_p: Matrix, keys: Matrix) -> tuple[float, Matrix]:
    return ban(z, permuted(log_p, keys))
