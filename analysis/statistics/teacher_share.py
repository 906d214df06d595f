"""The best share of the teacher in a student's targets, estimated from one student without training others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.study import Study
from analysis.statistics.independence import independent_chains, interval_of_chains
from ban_ray.evaluation.predictions import TokenOutputs
from ban_ray.specs import Objective

PRECISION = 1e-6
LIMIT = 20.0
"""Shares beyond this are not searched."""

SMALLEST = -104.0
"""Logarithm of the smallest probability in float32, which stands for that of 0."""


@dataclass(frozen=True)
class TeacherShare:
    """The estimate of ``xi`` of objective ``mix``.

    Attributes:
        estimate: of least held-out loss. low, high: 95 % interval over new seeds and held-out samples.
        loss: expected held-out loss at the estimate, nats a sample. loss_of_labels, loss_of_teacher: at 0 and at 1.
        chains: number of them.
    """

    estimate: float
    low: float
    high: float
    loss: float
    loss_of_labels: float
    loss_of_teacher: float
    chains: int


class MixedPredictions(NamedTuple):
    """Predictions that move on a straight line with the share, and what they should have been.

    Attributes:
        base: log-probabilities (n, C) at share 0. direction: (n, C), their change up to share 1. labels: (n,).
    """

    base: NDArray[np.float64]
    direction: NDArray[np.float64]
    labels: NDArray[np.int64]

    def log_probabilities(self, share: float) -> NDArray[np.float64]:
        from scipy.special import log_softmax

        return np.asarray(log_softmax(self.base + share * self.direction, axis=1))

    def losses(self, share: float) -> NDArray[np.float64]:
        """(n,) cross-entropies with the labels, nats."""
        return -self.log_probabilities(share)[np.arange(len(self.labels)), self.labels]

    def slopes(self, share: float) -> tuple[NDArray[np.float64], float]:
        """Derivatives (n,) of the losses by the share, and the mean of the second ones."""
        probabilities = np.exp(self.log_probabilities(share))
        means = (probabilities * self.direction).sum(1)
        variances = (probabilities * np.square(self.direction - means[:, None])).sum(1)
        return means - self.direction[np.arange(len(self.labels)), self.labels], float(variances.mean())


def teacher_share(study: Study, group: ChainGroup) -> TeacherShare | None:
    """The best ``xi`` for generation 1, from the held-out predictions of the baseline and of one student.

    A student of ``(1 - xi) label + xi teacher`` predicts ``(1 - xi) f_0 + xi f_1`` where training is a linear smoother
    of its targets: f_0 of a network taught by labels, which the baseline is, and f_1 of one taught by the teacher
    alone (Borup and Andersen 2021; Dang, Patil and Rinaldo 2026). Here f are log-probabilities, and the best share has
    the least cross-entropy with the held-out labels, which is convex in it.

    None where generation 1 was not taught by ``ban`` or ``mix`` at temperature 1 or is another network than the
    baseline, where no held-out predictions can be read, or where no share within plus or minus `LIMIT` is the best.
    """
    given = _share_of_generation_1(group)
    if given is None:
        return None
    chains: list[RecordedChain] = []
    parts: list[MixedPredictions] = []
    for chain in independent_chains([c for c in group.chains if c.member(0) and c.member(1)], 1):
        first, second = (study.read_predictions(key) for key in chain.keys[:2])
        if first is None or second is None or not len(first.held_out_labels):
            continue
        if isinstance(first.held_out, TokenOutputs) or isinstance(second.held_out, TokenOutputs):
            continue
        base, end = (np.maximum(part, SMALLEST, dtype=np.float64) for part in (first.held_out, second.held_out))
        chains.append(chain)
        parts.append(MixedPredictions(base, (end - base) / given, np.asarray(first.held_out_labels, dtype=np.int64)))
    return estimate_share(parts, chains) if parts else None


def estimate_share(parts: Sequence[MixedPredictions], chains: Sequence[RecordedChain]) -> TeacherShare | None:
    """The share of least mean loss; its interval is that of the zero of the mean slope.

    Args:
        parts: one a chain.
    """

    def mean_slope(share: float) -> float:
        return float(np.mean([part.slopes(share)[0].mean() for part in parts]))

    low, high = -LIMIT, LIMIT
    if mean_slope(low) >= 0 or mean_slope(high) <= 0:
        return None
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if mean_slope(middle) < 0 else (low, middle)
    share = (low + high) / 2
    slopes, curvatures = zip(*(part.slopes(share) for part in parts), strict=True)
    shift = np.stack(slopes) / np.mean(curvatures)
    interval = interval_of_chains(chains, np.zeros_like(shift), shift, 1.0)
    return TeacherShare(
        estimate=share,
        low=share + interval.low - interval.estimate,
        high=share + interval.high - interval.estimate,
        loss=_mean_loss(parts, share),
        loss_of_labels=_mean_loss(parts, 0.0),
        loss_of_teacher=_mean_loss(parts, 1.0),
        chains=len(parts),
    )


def _mean_loss(parts: Sequence[MixedPredictions], share: float) -> float:
    return float(np.mean([part.losses(share).mean() for part in parts]))


def _share_of_generation_1(group: ChainGroup) -> float | None:
    """The teacher's share in its targets; None where its loss is another one."""
    if 1 not in group.representatives or group.baseline is None:
        return None
    student, baseline = group.representatives[1].generation, group.baseline
    if baseline.objective != Objective(name="label") or student.network != baseline.network:
        return None
    if student.objective == Objective(name="ban"):
        return 1.0
    xi = student.objective.xi
    return xi if student.objective == Objective(name="mix", xi=xi) and xi else None
