"""Simulated studies: the losses of networks and ensembles whose true errors are known."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.verdict.choice import Choice, Role
from analysis.verdict.study_choices import Choices
from ban_ray.evaluation.metrics import ERROR

BASE = 0.17
"""Error of the baseline."""
HARDEST = 0.95


@dataclass(frozen=True)
class Size:
    """How much a study can see: seeds, their spread of true errors, and samples."""

    seeds: int
    spread: float
    held_out: int
    test: int


@dataclass(frozen=True)
class Truth:
    """A choice and its true gain on the baseline, as a share of all samples."""

    name: str
    cost: float
    role: Role
    gain: float


def study(rng: np.random.Generator, size: Size, networks: list[Truth], ensembles: list[Truth]) -> Choices:
    """A study of choices with these true gains, the first network being the baseline.

    Samples are easy or hard to all choices, but for a share that is drawn anew for each. A network's true error has its
    own spread over seeds; generations of a chain are networks of their own.
    """
    shapes = {"held_out": size.held_out, "test": size.test}
    difficulty = {part: _difficulty(rng, samples) for part, samples in shapes.items()}

    def choice(truth: Truth) -> Choice:
        luck = size.spread * rng.standard_normal(size.seeds)
        parts: dict[str, Mapping[int, NDArray[np.int8]]] = {}
        for part, shared in difficulty.items():
            own = np.where(rng.random(len(shared)) < 0.7, shared, _difficulty(rng, len(shared)))
            share = 1 + (luck[:, None] - truth.gain) / BASE
            errors = (rng.random((size.seeds, len(own)), dtype=np.float32) < own * share).astype(np.int8)
            parts[part] = dict(enumerate(errors))
        return Choice(truth.name, truth.cost, truth.role, parts["held_out"], parts["test"])

    made = [choice(truth) for truth in networks]
    chain = (made[0], *(each for each in made if each.role == "distilled"))
    return Choices(
        metric=ERROR,
        baseline=made[0],
        networks=tuple(made),
        ensembles=tuple(choice(truth) for truth in ensembles),
        chains={"ban+l": chain},
        missing=(),
        held_out=True,
    )


def _difficulty(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Probabilities of an error (samples,) with mean `BASE`: many easy samples, some hard ones."""
    a = 0.35
    return np.asarray(HARDEST * rng.beta(a, a * (HARDEST / BASE - 1), samples))
