"""The metric of a task: the one place that names it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.population import Member
from ban_ray.specs import Task


@dataclass(frozen=True)
class Metric:
    """What members are compared by; lower is better.

    Attributes:
        name: with its unit in prose, ``{name} in {unit}``.
        unit: of the metric. points: of a difference of two.
        scale: from the mean of `losses` to the metric.
        field: of a member's metrics, after ``test_`` or ``held_out_``.
    """

    name: str
    unit: str
    points: str
    scale: float
    field: str

    def losses(self, log_probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.int8]:
        """One loss a sample (n,), whose mean times `scale` is the metric."""
        return np.asarray(log_probabilities.argmax(1) != labels, dtype=np.int8)

    def of(self, member: Member, part: str = "test") -> float | None:
        """The recorded metric of a member on ``test`` or ``held_out``; None where nothing was held out."""
        value: float | None = getattr(member.metrics, f"{part}_{self.field}")
        return value


ERROR = Metric(name="error", unit="%", points="points", scale=100.0, field="error")


def metric_of(task: Task) -> Metric:
    """The metric of a task; every image task is compared by its error."""
    return ERROR
