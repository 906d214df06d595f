"""The number of seeds that would settle a comparison, from the variance components of its paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from analysis.verdict.selection import CLAIM_LEVEL

MOST_SEEDS = 200
POWER = 0.8


@dataclass(frozen=True)
class Needed:
    """What would find a difference as large as the one seen in 80 % of repetitions; of few seeds a rough figure.

    Attributes:
        seeds: more than there are; None where no number up to `MOST_SEEDS` would on these images.
        images: that would with many seeds; None where there are enough, or where nothing was seen to settle.
    """

    seeds: int | None
    images: int | None


def needed(first: ArrayLike, second: ArrayLike) -> Needed:
    """What settles a comparison of two choices' losses (seeds, images), paired in both.

    The components of seeds, images and the rest are those of `crossed_interval`; the expected interval for S seeds has
    the expected mean squares.

    Raises:
        ValueError: fewer than two seeds, which say nothing about seeds.
    """
    difference = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    seeds, images = difference.shape
    if seeds < 2:
        raise ValueError("one seed says nothing about the variation between seeds")
    effect = abs(float(difference.mean()))
    if not effect:
        return Needed(None, None)
    by_seed = images * float(difference.mean(1).var(ddof=1))
    by_image = seeds * float(difference.mean(0).var(ddof=1))
    centred = difference - difference.mean(1, keepdims=True) - difference.mean(0) + difference.mean()
    residual = float(np.square(centred).sum()) / ((seeds - 1) * (images - 1))
    of_seeds, of_images = max(0.0, by_seed - residual) / images, max(0.0, by_image - residual) / seeds
    for count in range(seeds + 1, MOST_SEEDS + 1):
        squares = (images * of_seeds + residual, count * of_images + residual, residual)
        if _detectable(squares, count, images) <= effect:
            return Needed(count, None)
    quantiles = NormalDist().inv_cdf((1 + CLAIM_LEVEL) / 2) + NormalDist().inv_cdf(POWER)
    images_needed = ceil(of_images * (quantiles / effect) ** 2)
    return Needed(None, images_needed if images_needed > images else None)


def _detectable(squares: Sequence[float], seeds: int, images: int) -> float:
    """The difference that is found in 80 % of repetitions, from expected mean squares of seeds, images and the rest."""
    # scipy.special loads in a fraction of the time of scipy.stats.
    from scipy.special import stdtrit

    by_seed, by_image, residual = squares
    total = by_seed + by_image - residual
    if not total:
        return 0.0
    spread = by_seed**2 / (seeds - 1) + by_image**2 / (images - 1) + residual**2 / ((seeds - 1) * (images - 1))
    freedom = total**2 / spread
    quantiles = stdtrit(freedom, (1 + CLAIM_LEVEL) / 2) + stdtrit(freedom, POWER)
    return float(quantiles * np.sqrt(total / (seeds * images)))
