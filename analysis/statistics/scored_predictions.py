"""Scores of members on the test images, small enough for many members to fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.chains import RecordedChain
from analysis.data.study import Study
from ban_ray.evaluation.metrics import Metric
from ban_ray.evaluation.predictions import Labels, Outputs, confidence, entropies, of_labels, predicted

Losses = NDArray[Any]
BINS = 15


@dataclass(frozen=True)
class MemberScores:
    """A member's, or an ensemble's, predictions on n test images.

    Attributes:
        losses: (n,) of the metric. predicted, labels: (n,) classes.
        log_likelihoods: (n,) log-probability of the true class, nats.
        confidence: mean largest probability. entropy: mean, nats; NaN where distributions were not kept whole.
        calibration_error: expected calibration error over 15 equal bins of confidence, percent.
    """

    losses: Losses
    predicted: NDArray[np.int32]
    labels: Labels
    log_likelihoods: NDArray[np.float32]
    confidence: float
    entropy: float
    calibration_error: float


def score_member(outputs: Outputs, labels: Labels, metric: Metric) -> MemberScores:
    """The outcome of a member's or an ensemble's outputs and true labels (n,)."""
    chosen, sure = predicted(outputs), confidence(outputs)
    return MemberScores(
        losses=metric.losses(outputs, labels),
        predicted=chosen.astype(np.int32),
        labels=labels,
        log_likelihoods=of_labels(outputs, labels).astype(np.float32),
        confidence=float(sure.mean()),
        entropy=float(entropies(outputs).mean()),
        calibration_error=calibration_error(sure, chosen == labels),
    )


def calibration_error(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Expected calibration error in percent: the mean gap of confidence and accuracy over equal bins (lower, upper].

    Naeini, Cooper and Hauskrecht 2015; 15 bins as in Guo et al. 2017.
    """
    bin_of = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bin_of, weights=confidence - correct.astype(np.float64), minlength=BINS)
    return float(100 * np.abs(gaps).sum() / len(confidence))


class ScoredPredictions:
    """Outcomes by key, read when first asked for; one object for members that are compared with each other."""

    def __init__(self, study: Study, metric: Metric) -> None:
        self._study = study
        self._metric = metric
        self._read: dict[str, MemberScores | None] = {}
        self._labels: Labels | None = None

    def get(self, key: str) -> MemberScores | None:
        """None where the predictions cannot be read, or are for other test images than the first ones read."""
        if key not in self._read:
            self._read[key] = self._load(key)
        return self._read[key]

    def readable(self, chains: Sequence[RecordedChain], *generations: int) -> list[RecordedChain]:
        """The chains whose members of these generations can all be read."""
        return [
            chain
            for chain in chains
            if None not in map(chain.member, generations) and all(self.get(chain.keys[g]) for g in generations)
        ]

    def for_generation(self, chains: Sequence[RecordedChain], generation: int) -> list[MemberScores]:
        """The outcomes of a generation of usable chains, in their order."""
        scores = [self.get(chain.keys[generation]) for chain in chains]
        return [score for score in scores if score is not None]

    def _load(self, key: str) -> MemberScores | None:
        if key not in self._study.records:
            return None
        stored = self._study.read_predictions(key)
        if stored is None or not len(stored.test_labels):
            return None
        if self._labels is None:
            self._labels = stored.test_labels
        if not np.array_equal(stored.test_labels, self._labels):
            self._study.damaged[key] = f"member {key}: its test labels differ from those it is compared with"
            return None
        return score_member(stored.test, self._labels, self._metric)


def losses(scores: Sequence[MemberScores]) -> Losses:
    """(seeds, images)."""
    return np.stack([score.losses for score in scores])


def log_likelihoods(scores: Sequence[MemberScores]) -> NDArray[np.float32]:
    """(seeds, images), nats."""
    return np.stack([score.log_likelihoods for score in scores])


def agreement(first: MemberScores, second: MemberScores) -> float:
    """Share of the test images on which two predict the same class, percent."""
    return float(100 * np.mean(first.predicted == second.predicted))


def disagreement(predicted: Sequence[NDArray[np.integer]]) -> float:
    """Mean share of images on which two of several networks predict different classes, percent; NaN for one."""
    count = len(predicted)
    if count < 2:
        return float("nan")
    votes = np.stack(predicted)
    # Pairs that agree on an image: the sum over classes of v (v - 1) / 2 for v votes.
    agreeing = np.zeros(votes.shape[1], dtype=np.int64)
    for label in np.unique(votes):
        cast = (votes == label).sum(0)
        agreeing += cast * (cast - 1)
    return float(100 * (1 - agreeing.mean() / (count * (count - 1))))
