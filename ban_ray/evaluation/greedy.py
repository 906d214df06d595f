"""Greedy selection of an ensemble with replacement, by its loss on held-out data."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ban_ray.evaluation.metrics import Metric
from ban_ray.evaluation.predictions import Labels, Outputs, TokenOutputs

_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
"""A probability of 0 counts as this one, so that likelihoods stay finite."""


def greedy_selection(
    outputs: Sequence[Outputs], labels: Labels, metric: Metric, size: int
) -> tuple[tuple[int, ...], float]:
    """Add the member, also one that is there already, that lowers the loss of the average of probabilities most.

    Of the ensembles of 1 to `size` members the first with the lowest loss is kept (Caruana et al. 2004, as in
    AutoGluon). Equal losses are decided by the mean log-likelihood, and then by the order of `outputs`.

    Args:
        outputs: of each member, on the same samples.
        metric: its losses are errors of the most probable class, or negative log-likelihoods.

    Returns:
        Positions in `outputs`, in the order in which they joined, and the mean loss of their average.

    Raises:
        ValueError: no outputs, another number of samples, or a size below 1.
    """
    if size < 1 or not outputs or any(len(output) != len(labels) for output in outputs):
        raise ValueError(f"a selection of {size} from {len(outputs)} members for {len(labels)} labels cannot be made")
    probabilities = [_probabilities(output) for output in outputs]
    total = np.zeros_like(probabilities[0])
    chosen: list[int] = []
    best, best_size = (float("inf"), float("inf")), 0
    for count in range(1, size + 1):
        scores = [_score((total + added) / count, labels, metric) for added in probabilities]
        position = min(range(len(scores)), key=lambda position: (scores[position], position))
        chosen.append(position)
        total = total + probabilities[position]
        if scores[position] < best:
            best, best_size = scores[position], count
    return tuple(chosen[:best_size]), best[0]


def _probabilities(output: Outputs) -> NDArray[np.float64]:
    """(n, classes) probabilities; of tokens (n,) those of the tokens that came."""
    return np.exp((output.label if isinstance(output, TokenOutputs) else output).astype(np.float64))


def _score(mean: NDArray[np.float64], labels: Labels, metric: Metric) -> tuple[float, float]:
    """The mean loss and the negative mean log-likelihood of an ensemble."""
    of_labels = mean if mean.ndim == 1 else mean[np.arange(len(labels)), labels]
    negative = -float(np.log(np.maximum(of_labels, _SMALLEST)).mean())
    return (float((mean.argmax(1) != labels).mean()) if metric.is_classification else negative), negative
