"""Metrics: errors and likelihoods of predictions, and how each task's is named, computed and compared."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ban_ray.evaluation.predictions import Labels, Outputs, of_labels, predicted

NATS_A_BIT = math.log(2)


class HasMetrics(Protocol):
    """A member: its `metrics` are `ban_ray.population.member.Metrics`."""

    @property
    def metrics(self) -> Any: ...


@dataclass(frozen=True)
class Metric:
    """What members are compared by; lower is better.

    Attributes:
        name: of the metric. key: the same in records. unit: in headings. name_with_unit: in prose.
        points: unit of a difference, which is one of mean losses. scale: from those to it.
        sample_noun: what the samples are called, each of which has a loss.
        is_classification: whether losses are errors, 0 or 1, of a few classes.
        field: of a member's metrics and of histories, after ``test_`` or ``held_out_``.
        losses: one loss a sample (n,) of outputs and labels. value: the metric of the mean loss.
        difference: of two values, in `points`.
        caveat: what an interval of such differences leaves out.
    """

    name: str
    key: str
    unit: str
    name_with_unit: str
    points: str
    scale: float
    sample_noun: str
    is_classification: bool
    field: str
    losses: Callable[[Outputs, Labels], NDArray[Any]]
    value: Callable[[float], float]
    difference: Callable[[float, float], float]
    caveat: str = ""

    @property
    def heading(self) -> str:
        """Name and unit for an axis."""
        return self.name if self.unit == self.name or self.unit in self.name else f"{self.name}, {self.unit}"

    def text(self, value: float) -> str:
        """A value in prose, where the metric has been named."""
        return f"{value:.2f} %" if self.unit == "%" else f"{value:.2f}"

    def format_member(self, member: HasMetrics, part: str = "test") -> str:
        """The recorded metric in prose; empty where nothing was held out."""
        value = self.value_of(member, part)
        return "" if value is None else self.text(value)

    def mean(self, losses: NDArray[Any]) -> float:
        """The metric of losses (n,)."""
        return self.value(float(losses.mean(dtype=np.float64)))

    def from_field(self, recorded: float) -> float:
        """The metric from `field`, which is the error itself or a log-likelihood, the negative loss."""
        return recorded if self.is_classification else self.value(-recorded)

    def value_of(self, member: HasMetrics, part: str = "test") -> float | None:
        """The recorded metric of a member on ``test`` or ``held_out``; None where nothing was held out."""
        return self.from_record(vars(member.metrics), part)

    def from_record(self, record: Mapping[str, Any], part: str = "test") -> float | None:
        """The metric in a record of an epoch or a publication; None where nothing was held out."""
        value = record.get(f"{part}_{self.field}")
        return None if value is None else self.from_field(float(value))


def error_percent(outputs: Outputs, labels: Labels) -> float:
    """Share of wrong argmax predictions (the first on ties), in percent."""
    return float(100 * np.mean(predicted(outputs) != labels))


def mean_log_likelihood(outputs: Outputs, labels: Labels) -> float:
    """Mean log-probability of the true class, in nats."""
    return float(np.mean(of_labels(outputs, labels).astype(np.float64)))


def _error(outputs: Outputs, labels: Labels) -> NDArray[np.int8]:
    return np.asarray(predicted(outputs) != labels, dtype=np.int8)


def _negative_log_likelihood(outputs: Outputs, labels: Labels) -> NDArray[np.float32]:
    """Nats; a probability of 0 counts as the smallest that float32 has, so that means stay finite."""
    return np.asarray(np.minimum(-of_labels(outputs, labels), 104.0), dtype=np.float32)


_DEPENDENT = "Tokens of a text depend on each other: intervals, which count each on its own, may be too narrow."

ERROR = Metric(
    name="error",
    key="error",
    unit="%",
    name_with_unit="error in %",
    points="points",
    scale=100.0,
    sample_noun="images",
    is_classification=True,
    field="error",
    losses=_error,
    value=lambda loss: 100.0 * loss,
    difference=lambda new, old: new - old,
)
PERPLEXITY = Metric(
    name="perplexity",
    key="perplexity",
    unit="perplexity",
    name_with_unit="perplexity",
    points="log % of perplexity",
    scale=100.0,
    sample_noun="tokens",
    is_classification=False,
    field="log_likelihood",
    losses=_negative_log_likelihood,
    value=lambda loss: math.exp(min(loss, 700.0)),
    difference=lambda new, old: 100.0 * math.log(new / old),
    caveat=f"A difference in log % of perplexity is 100 times that of its logarithm. {_DEPENDENT}",
)
BITS = Metric(
    name="bits per character",
    key="bits_per_character",
    unit="bits",
    name_with_unit="bits per character",
    points="bits per character",
    scale=1 / NATS_A_BIT,
    sample_noun="characters",
    is_classification=False,
    field="log_likelihood",
    losses=_negative_log_likelihood,
    value=lambda loss: loss / NATS_A_BIT,
    difference=lambda new, old: new - old,
    caveat=_DEPENDENT,
)
