"""The number of generations: chosen on held-out data, with an interval for the choice, and the shape of the curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.statistics.crossed_interval import CrossedInterval
from analysis.verdict.choice import Choice, interval_of

RESAMPLES = 1000
LEVEL = 0.95

Shape = Literal["gain", "saturation", "collapse", "loss", "nothing distinguishable"]


@dataclass(frozen=True)
class Generations:
    """The best number of a chain's generations.

    Attributes:
        name: how the chain learns.
        number: of born-again generations, of the lowest mean held-out loss; 0 is the baseline.
        low, high: 95 % interval of the number, over new seeds and images.
        last: number of generations trained.
        gain: test loss of that number minus the baseline's; None for number 0.
        after: test loss of the last generation minus that number's; None where it is the last.
        shape: of the curve; see `shape_of`.
    """

    name: str
    number: int
    low: int
    high: int
    last: int
    gain: CrossedInterval | None
    after: CrossedInterval | None
    shape: Shape


def best_number(chain: Sequence[Choice], name: str, scale: float) -> Generations | None:
    """The best number of generations of a chain, the baseline first; None without held-out data of a common seed."""
    seeds = sorted(set.intersection(*(set(choice.held_out) for choice in chain)))
    if not seeds:
        return None
    held_out = np.stack([[choice.held_out[seed] for seed in seeds] for choice in chain]).astype(np.float64)
    number = int(held_out.mean((1, 2)).argmin())
    low, high = interval_of_lowest(held_out)
    last = len(chain) - 1
    gain = interval_of(chain[number], chain[0], "test", scale) if number else None
    after = interval_of(chain[last], chain[number], "test", scale) if number < last else None
    return Generations(name, number, low, high, last, gain, after, shape_of(gain, after, last - number))


def interval_of_lowest(losses: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> tuple[int, int]:
    """Percentile interval of the position of the lowest mean, resampling seeds and samples at once.

    Resampling both factors counts the residual variance more than once, which makes the interval wide rather than
    narrow (Owen 2007, "The pigeonhole bootstrap"). It is never narrower than what was seen.

    Args:
        losses: (choices, seeds, samples); with one seed the samples alone are resampled.

    Returns:
        The first and the last position.
    """
    choices, seeds, samples = losses.shape
    random = np.random.default_rng(seed)
    by_sample = random.multinomial(samples, np.full(samples, 1 / samples), size=resamples) / samples
    by_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    means = np.stack([np.einsum("rs,rs->r", by_seed, by_sample @ losses[choice].T) for choice in range(choices)])
    ends = np.quantile(means.argmin(0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="closest_observation")
    seen = int(losses.mean((1, 2)).argmin())
    return min(int(ends[0]), seen), max(int(ends[1]), seen)


def shape_of(gain: CrossedInterval | None, after: CrossedInterval | None, further: int) -> Shape:
    """The shape of the test loss over the generations.

    ``gain`` up to the last generation; ``saturation``, a gain and then none that is distinguishable; ``collapse``, a
    gain that further generations lose again, or ``loss`` where there was none; else ``nothing distinguishable``.
    """
    gained = gain is not None and gain.high < 0
    if further and after is not None and after.low > 0:
        return "collapse" if gained else "loss"
    if not gained:
        return "nothing distinguishable"
    return "saturation" if further else "gain"
