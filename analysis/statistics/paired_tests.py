"""Estimand (a): these two networks on new images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class McNemar:
    """McNemar's test on the images that just one of two networks gets wrong.

    Attributes:
        gained: images that only the baseline gets wrong. lost: images that only the student gets wrong.
        exact: two-sided binomial p-value; rejects at most its level.
        mid_p: counts what was seen half in each tail (Fagerland, Lydersen and Laake 2013): nearer to its level,
            which it may exceed by a little.
    """

    gained: int
    lost: int
    exact: float
    mid_p: float


def mcnemar(baseline: ArrayLike, student: ArrayLike) -> McNemar:
    """Whether two networks err equally often on new images.

    Args:
        baseline, student: 0/1 errors (images,) of one network each.

    Raises:
        ValueError: shapes that differ, or values other than 0 and 1.
    """
    from scipy.stats import binom, binomtest

    first, second = _errors(baseline, student)
    gained, lost = int(np.sum(first & ~second)), int(np.sum(~first & second))
    if not gained + lost:
        return McNemar(0, 0, 1.0, 1.0)
    exact = float(binomtest(gained, gained + lost, 0.5).pvalue)
    # At equal counts the two tails are one point, which the exact p-value has counted once.
    share = 0.5 if gained == lost else 1.0
    return McNemar(gained, lost, exact, exact - share * float(binom.pmf(gained, gained + lost, 0.5)))


def paired_bootstrap(
    baseline: ArrayLike,
    student: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the difference of two networks' errors, resampling images in pairs.

    An image's difference is -1, 0 or 1, so a resample is a multinomial draw of three counts: the same
    distribution as drawing images, at any number of them.

    Args:
        baseline, student: 0/1 errors (images,).

    Returns:
        Low and high, in points.

    Raises:
        ValueError: shapes that differ, no image, or values other than 0 and 1.
    """
    first, second = _errors(baseline, student)
    images = len(first)
    counts = np.array([np.sum(first & ~second), np.sum(~first & second), np.sum(first == second)])
    draws = np.random.default_rng(seed).multinomial(images, counts / images, size=resamples)
    differences = (draws[:, 1] - draws[:, 0]) / images
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return 100 * float(low), 100 * float(high)


def _errors(baseline: ArrayLike, student: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    first, second = np.asarray(baseline), np.asarray(student)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(f"errors of shapes {first.shape} and {second.shape} are not those of two networks")
    if not (np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all()):
        raise ValueError("errors must be 0 or 1")
    return first.astype(bool), second.astype(bool)
