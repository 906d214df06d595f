"""Greedy choice of an ensemble from a population, on held-out data."""

import numpy as np
import pandas as pd

from analysis.data.study import Study
from ban_ray.evaluation.ensembles import combine
from ban_ray.evaluation.metrics import Metric, mean_log_likelihood
from ban_ray.population import Member, Predictions
from ban_ray.specs import Task
from ban_ray.tasks.catalog import metric_of


def greedy(study: Study, task: Task, *, size: int = 5, candidates: int = 50) -> pd.DataFrame:
    """Add the member that lowers the held-out error of the ensemble most, until none does or `size` is reached.

    Without replacement, ties by held-out log-likelihood (after Caruana et al. 2004). Only members of this very task
    compete, so none has trained on these held-out images.

    Args:
        candidates: members that compete: those with the lowest recorded held-out error.

    Returns:
        One row a step: the member that joined, and the ensemble's errors in percent and its log-likelihood in nats a
        sample. No choice has seen the test data. Empty where nothing was held out.
    """
    metric = metric_of(task)
    eligible = [member for member in study.records.values() if member.generation.task == task and _held_out(member)]
    eligible.sort(key=lambda member: (metric.value_of(member, "held_out"), member.key))
    read = {member.key: study.read_predictions(member.key) for member in eligible[:candidates]}
    stored: dict[str, Predictions] = {key: predictions for key, predictions in read.items() if predictions is not None}
    chosen: list[str] = []
    rows = []
    best = (float("inf"), float("inf"))
    while len(chosen) < size:
        scores = {key: _score(stored, [*chosen, key], metric) for key in stored if key not in chosen}
        key = min(scores, key=lambda key: (scores[key], key), default=None)
        if key is None or scores[key] >= best:
            break
        best = scores[key]
        chosen.append(key)
        ensemble = combine([stored[key].test for key in chosen])
        labels = stored[key].test_labels
        rows.append(
            {
                "step": len(chosen),
                "key": key,
                "network": study.records[key].generation.network,
                "objective": study.records[key].objective,
                "held_out_error": metric.value(best[0]),
                "test_error": metric.mean(metric.losses(ensemble, labels)),
                "test_log_likelihood": mean_log_likelihood(ensemble, labels),
            }
        )
    return pd.DataFrame(rows)


def _held_out(member: Member) -> bool:
    return member.metrics.held_out_error is not None


def _score(stored: dict[str, Predictions], keys: list[str], metric: Metric) -> tuple[float, float]:
    """Held-out loss and negative log-likelihood of an ensemble; lower is better."""
    ensemble = combine([stored[key].held_out for key in keys])
    labels = stored[keys[0]].held_out_labels
    return float(np.mean(metric.losses(ensemble, labels))), -mean_log_likelihood(ensemble, labels)
