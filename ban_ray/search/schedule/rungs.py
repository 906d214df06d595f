"""When a chain is not worth its next epochs; pure functions of errors.

Successive halving by rungs, as ASHA does it (Li et al. 2020), with three differences: rungs are places in a chain, not
counts of epochs, so that errors are compared at the same generation and the same learning rate; a chain that has
reached a rung late is compared with all that were there before it, whatever became of them; and the first rung keeps
fewer than the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from ban_ray.evaluation.pareto import Point, non_dominated_ranks

FIRST_RUNG_FRACTION, RUNG_FRACTION = 0.15, 0.5
"""Part of the chains at a rung that go on: few at the first one, which costs the least and tells networks apart, half
at each later one. A quarter at each rung, as is usual, found 0.13 points worse for a tenth fewer epochs on simulated
curves of noise 0.3 (`python -m tests.benchmarks.samplers stopping`, 40 seeds)."""
MIN_CHAINS_AT_RUNG = 3
"""Chains at a rung, from which on they are compared."""


@dataclass(frozen=True, order=True)
class Rung:
    """A place in a chain: in a generation, after its last learning-rate drop (``drop``) or at its end."""

    generation: int
    part: Literal["drop", "end"]

    @property
    def fraction(self) -> float:
        """The part of the chains here that go on."""
        return FIRST_RUNG_FRACTION if self == FIRST_RUNG else RUNG_FRACTION

    @property
    def step(self) -> int:
        """Its number along a chain, for studies."""
        return 2 * self.generation + (self.part == "end")

    @classmethod
    def from_step(cls, step: int) -> "Rung":
        """The rung of a step."""
        return cls(step // 2, "end" if step % 2 else "drop")

    def __str__(self) -> str:
        where = "after the last learning-rate drop" if self.part == "drop" else "at the end"
        return f"{where} of generation {self.generation}"


FIRST_RUNG = Rung(0, "drop")


def should_prune(candidate: Point, others: Sequence[Point], fraction: float) -> bool:
    """Whether a chain is not among the kept part of those at its rung.

    Args:
        mine, others: targets at the rung, all to be minimised, ranked by dominance where there are several.
        kept: the rung's.
    """
    count = len(others) + 1
    if count < MIN_CHAINS_AT_RUNG:
        return False
    own, *their = non_dominated_ranks([candidate, *others])
    return sum(rank < own for rank in their) >= num_promoted(count, fraction)


def num_promoted(count: int, fraction: float) -> int:
    """How many of the chains at a rung go on, equal ones apart."""
    return ceil(fraction * count)


def is_saturated(errors: Sequence[float], patience: int, min_gain: float) -> bool:
    """Whether the last `patience` generations of a chain gained nothing on the best one before them.

    Args:
        errors: held-out errors in percent, by generation, the baseline first.
        min_gain: points; a gain is more than this.
    """
    best, idle = float("inf"), 0
    for error in errors:
        # Small steps add up: the best moves only with a gain.
        if error < best - min_gain:
            best, idle = error, 0
        else:
            idle += 1
    return idle >= patience
