"""Choices: networks or ensembles that could be deployed, what training them costs, and their losses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from analysis.statistics.crossed_interval import CrossedInterval, crossed_interval
from analysis.statistics.scored_predictions import Losses

Role = Literal["undistilled", "distilled", "bound"]
Part = Literal["held_out", "test"]


@dataclass(frozen=True, eq=False)
class Choice:
    """A way to train what is deployed.

    Attributes:
        cost: trainings of the baseline's epochs for one seed; of a value that was chosen from several, all of these.
        role: ``undistilled``; ``distilled``, born-again generations; ``bound``, which costs more than a chain.
        held_out, test: losses (n,) by the seed of the chain.
        is_biased: whether the held-out samples chose its weights too, as early stopping does, so that its held-out
            losses are too low to be compared with the baseline's; it is not chosen.
        recipe: of a tuned one, the fields of the recipe in which it differs from the baseline's.
    """

    name: str
    cost: float
    role: Role
    held_out: Mapping[int, Losses] = field(repr=False)
    test: Mapping[int, Losses] = field(repr=False)
    recipe: Mapping[str, float] = field(default_factory=dict)
    is_biased: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted(self.test))

    @cached_property
    def held_out_means(self) -> dict[int, float]:
        """Mean held-out loss by seed."""
        return {seed: float(losses.mean(dtype=np.float64)) for seed, losses in self.held_out.items()}


def interval_of(choice: Choice, other: Choice, part: Part, scale: float, level: float = 0.95) -> CrossedInterval | None:
    """The interval of a choice's loss minus another one's over the seeds that both have; None without such a seed."""
    own, others = getattr(choice, part), getattr(other, part)
    seeds = sorted(own.keys() & others.keys())
    if not seeds:
        return None
    return crossed_interval([others[seed] for seed in seeds], [own[seed] for seed in seeds], level=level, scale=scale)
