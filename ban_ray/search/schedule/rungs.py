"""Rungs of asynchronous successive halving across generations, as pure functions of errors.

This is ASHA (Li et al. 2020) with three differences: rungs are points of a chain, not counts of epochs, so that errors
are compared at the same generation and learning rate; a chain that reaches a rung late is compared with all that
reached it before, whether they were promoted or not; and the first rung promotes fewer chains than the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from ban_ray.evaluation.pareto import Point, non_dominated_ranks

FIRST_RUNG_PROMOTED_FRACTION, PROMOTED_FRACTION = 0.15, 0.5
"""Fraction of the chains at a rung that are promoted: few at the first rung, the cheapest, which separates
networks, half at each later one. Promoting the usual quarter at each rung saved a tenth of the epochs, for an
error 0.13 points higher, on simulated curves of noise 0.3 (`python -m tests.benchmarks.samplers stopping`, 40
seeds)."""
MIN_CONFIGURATIONS_AT_RUNG = 3
"""Number of configurations at a rung below which none is pruned; each counts once, as the mean over its seeds."""


@dataclass(frozen=True, order=True)
class Rung:
    """A point of a chain: after a generation's `Recipe.drop_rung_epoch` (``drop``) or at its end (``end``)."""

    generation: int
    part: Literal["drop", "end"]

    @property
    def promoted_fraction(self) -> float:
        """Fraction of the chains at this rung that are promoted."""
        return FIRST_RUNG_PROMOTED_FRACTION if self == FIRST_RUNG else PROMOTED_FRACTION

    @property
    def step(self) -> int:
        """Number of the rung along a chain, as the step of an Optuna trial."""
        return 2 * self.generation + (self.part == "end")

    @classmethod
    def from_step(cls, step: int) -> "Rung":
        """The rung of a step."""
        return cls(step // 2, "end" if step % 2 else "drop")

    def description(self, schedule: str) -> str:
        """Where the rung is, for chains whose recipes have this learning-rate schedule."""
        drop = "after the last learning-rate drop" if schedule == "steps" else "at the rung"
        return f"{drop if self.part == 'drop' else 'at the end'} of generation {self.generation}"


FIRST_RUNG = Rung(0, "drop")


def should_prune(candidate: Point, others: Sequence[Point], promoted_fraction: float) -> bool:
    """Whether a chain is not among the promoted fraction of those at its rung.

    Args:
        candidate: the chain's targets at the rung, all minimised.
        others: targets of the other chains; several targets are ranked by dominance.
        promoted_fraction: fraction of the chains that the rung promotes.
    """
    count = len(others) + 1
    if count < MIN_CONFIGURATIONS_AT_RUNG:
        return False
    own, *their = non_dominated_ranks([candidate, *others])
    return sum(rank < own for rank in their) >= num_promoted(count, promoted_fraction)


def num_promoted(count: int, promoted_fraction: float) -> int:
    """Number of chains at a rung that are promoted, without ties."""
    return ceil(promoted_fraction * count)


def is_saturated(errors: Sequence[float], patience: int, min_gain: float) -> bool:
    """Whether the last `patience` generations of a chain gained nothing on the best one before them.

    Args:
        errors: held-out errors in percent, by generation, the baseline first.
        min_gain: points that a gain must exceed.
    """
    best, idle = float("inf"), 0
    for error in errors:
        # Small steps add up: the best moves only with a gain.
        if error < best - min_gain:
            best, idle = error, 0
        else:
            idle += 1
    return idle >= patience
