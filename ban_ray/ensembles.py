"""Ensembles from stored predictions: the average of the members' probabilities (workshop equation 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LogProbabilities = NDArray[np.float32]
Labels = NDArray[np.int64]


def average(members: Sequence[LogProbabilities]) -> NDArray[np.float64]:
    """Log of the mean probability: k arrays (n, C) of log-probabilities to one (n, C).

    Raises:
        ValueError: no member, or shapes that differ.
    """
    if not members:
        raise ValueError("an ensemble needs at least one member")
    if len({member.shape for member in members}) > 1:
        raise ValueError(f"members predict different shapes: {sorted({member.shape for member in members})}")
    stacked = np.stack([member.astype(np.float64) for member in members])
    top = stacked.max(0)
    return np.asarray(top + np.log(np.exp(stacked - top).mean(0)))


def error_percent(log_probabilities: NDArray[np.floating], labels: Labels) -> float:
    """Share of wrong argmax predictions (the first on ties), in percent."""
    return float(100 * np.mean(log_probabilities.argmax(1) != labels))


def mean_log_likelihood(log_probabilities: NDArray[np.floating], labels: Labels) -> float:
    """Mean log-probability of the true class, in nats."""
    return float(np.mean(log_probabilities[np.arange(len(labels)), labels].astype(np.float64)))


@dataclass(frozen=True)
class Ensemble:
    """Which generations of a chain Ens*k averages.

    Attributes:
        generations: numbers of the generations, the baseline being 0.
        filled: whether the baseline stands in for a BAN-k that was not trained; such a cell is marked.
    """

    generations: tuple[int, ...]
    filled: bool


def ens(k: int, born_again: int) -> Ensemble | None:
    """Ens*k of a chain with `born_again` generations after the baseline, as the papers define it.

    BAN-1 .. BAN-k without the baseline; where just BAN-k was not trained the baseline fills in (80-120's
    Ens*3 in workshop Table 1). None where even that is too short.
    """
    if k < 2:
        raise ValueError(f"Ens*{k} is no ensemble; at least 2 members are needed")
    if born_again >= k:
        return Ensemble(tuple(range(1, k + 1)), False)
    if born_again == k - 1:
        return Ensemble(tuple(range(k)), True)
    return None
