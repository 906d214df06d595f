"""Estimand (b): the method on new seeds and new images.

Every seed's networks meet the same test images, so that seeds and images are crossed random factors of the paired
difference d[s, i] (student's loss minus baseline's). With the mean squares of the two-way layout,

    MS_seeds = N var(seed means),   MS_images = S var(image means),   MS_residual,

the unbiased variance of the mean of d is

    var(seed means)/S + var(image means)/N - var(residual)/(S N) = (MS_seeds + MS_images - MS_residual) / (S N).

It is read with Student's t at Satterthwaite's degrees of freedom. Two approximations are in that:

- A variance component that is estimated below zero counts as zero, so a mean square enters the variance as at least
  the residual's. The degrees of freedom keep the observed mean squares. Without this, a lucky draw of 3 seeds gives
  a variance smaller than the images alone explain: with a spread of 0.3 points over seeds and 1,000-10,000 test
  images the interval would cover 92-93 %, where it covers 96-97 %.
- Satterthwaite's degrees of freedom treat mean squares as scaled chi-squares. For few seeds whose spread outweighs the
  images' this is anti-conservative: `reliability` in `analysis.statistics.wording` has the figures.

Chains that share a root member are averaged first: the clusters are the seeds of the formula.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scope = Literal["new seeds and images", "conditional on this teacher", "conditional on these networks"]

POWER = 0.8


@dataclass(frozen=True)
class CrossedInterval:
    """A mean paired difference; a negative one is a gain, since losses are compared.

    Attributes:
        estimate, low, high, standard_error: in the loss's unit times `scale` (points for 0/1 errors).
        degrees_of_freedom: Satterthwaite's; infinite where nothing varies.
        p_value: two-sided, of no difference.
        smallest_detectable: the true difference that such data would find in 80 % of repetitions.
        chains: rows that were given. roots: clusters among them. images: test images.
        scope: what the interval speaks about.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    p_value: float
    smallest_detectable: float
    chains: int
    roots: int
    images: int
    scope: Scope

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def crossed_interval(
    baseline: ArrayLike,
    student: ArrayLike,
    *,
    roots: Sequence[Hashable] | None = None,
    level: float = 0.95,
    scale: float = 100.0,
) -> CrossedInterval:
    """The interval of the mean of ``student - baseline`` over new seeds and new images.

    Args:
        baseline, student: losses (seeds, images), paired in both; 0/1 errors or any real loss.
        roots: what each row descends from; rows of one root are one cluster. By default each row is its own.
        scale: 100 makes points of 0/1 errors.

    Returns:
        With one root the rows are that teacher's students and the interval is conditional on it; with one row
        only the images are random.

    Raises:
        ValueError: shapes that differ, fewer than 2 images, values that are not finite.
    """
    first, second = np.atleast_2d(np.asarray(baseline)), np.atleast_2d(np.asarray(student))
    if first.shape != second.shape:
        raise ValueError(f"losses of shapes {first.shape} and {second.shape} are not paired")
    difference = second.astype(np.float64) - first.astype(np.float64)
    if difference.ndim != 2 or difference.shape[0] < 1 or difference.shape[1] < 2:
        raise ValueError(f"differences of shape {difference.shape}; at least 1 seed and 2 images are needed")
    if not np.isfinite(difference).all():
        raise ValueError("losses must be finite")
    names = list(range(len(difference))) if roots is None else list(roots)
    if len(names) != len(difference):
        raise ValueError(f"{len(names)} roots for {len(difference)} rows")
    chains, clusters = len(names), list(dict.fromkeys(names))
    if 1 < len(clusters) < chains:
        rows_of = {name: [row for row, other in enumerate(names) if other == name] for name in clusters}
        difference = np.stack([difference[rows_of[name]].mean(0) for name in clusters])
    scope: Scope = "new seeds and images"
    if len(clusters) == 1:
        scope = "conditional on this teacher" if chains > 1 else "conditional on these networks"
    estimate = float(difference.mean())
    variance, freedom = _variance(difference)
    error = float(np.sqrt(variance))
    half = _t(freedom, (1 + level) / 2) * error if error else 0.0
    detectable = (_t(freedom, (1 + level) / 2) + _t(freedom, POWER)) * error if error else 0.0
    return CrossedInterval(
        estimate=scale * estimate,
        low=scale * (estimate - half),
        high=scale * (estimate + half),
        standard_error=scale * error,
        degrees_of_freedom=freedom,
        p_value=_p_value(estimate, error, freedom),
        smallest_detectable=scale * detectable,
        chains=chains,
        roots=len(clusters),
        images=difference.shape[1],
        scope=scope,
    )


def _variance(difference: NDArray[np.float64]) -> tuple[float, float]:
    """Variance of the mean, and its degrees of freedom."""
    seeds, images = difference.shape
    if np.ptp(difference) == 0:
        return 0.0, float("inf")
    if seeds == 1:
        return float(difference[0].var(ddof=1) / images), float(images - 1)
    by_seed = images * float(difference.mean(1).var(ddof=1))
    by_image = seeds * float(difference.mean(0).var(ddof=1))
    centred = difference - difference.mean(1, keepdims=True) - difference.mean(0) + difference.mean()
    residual = float(np.square(centred).sum()) / ((seeds - 1) * (images - 1))
    total = max(by_seed, residual) + max(by_image, residual) - residual
    spread = by_seed**2 / (seeds - 1) + by_image**2 / (images - 1) + residual**2 / ((seeds - 1) * (images - 1))
    return total / (seeds * images), total**2 / spread


def _t(freedom: float, probability: float) -> float:
    # scipy.special loads in a fraction of the time of scipy.stats.
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(freedom, probability) if np.isfinite(freedom) else ndtri(probability))


def _p_value(estimate: float, error: float, freedom: float) -> float:
    if not error:
        return 0.0 if estimate else 1.0
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(estimate) / error))
