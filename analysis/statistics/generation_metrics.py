"""Measures beside the error, by generation: calibration, agreement with the teacher, saturation, diversity."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.study import Study
from analysis.statistics.independence import independent_chains, interval_of_chains
from analysis.statistics.scored_predictions import ScoredPredictions, agreement, disagreement, losses
from ban_ray.evaluation.ensembles import combine
from ban_ray.evaluation.predictions import predicted

EXTREMES = 10
"""Classes with the largest gains, and as many with the largest losses, that are shown of many classes."""


def by_generation(study: Study, group: ChainGroup, scores: ScoredPredictions) -> pd.DataFrame:
    """One row a generation of the group that can be read; means over chains, on test unless the name says otherwise.

    Errors, ``calibration_error`` (expected, 15 bins) and shares are in percent, log-likelihoods and entropies in nats.
    ``confidence`` is the mean largest probability, ``teacher_confidence`` and ``teacher_entropy`` the teacher's on the
    last epoch's training views. ``agreement`` is the share of samples where its teacher's class is predicted, and
    ``diversity_*`` where two members (of a chain, this one among them; of this generation) predict different ones.
    """
    records = []
    for number in sorted(group.representatives):
        chains = independent_chains(scores.readable(group.chains, number), number)
        if not chains:
            continue
        read = scores.for_generation(chains, number)
        errors = np.array([group.metric.mean(score.losses) for score in read])
        held_out = [group.metric.value_of(member, "held_out") for chain in chains if (member := chain.member(number))]
        confidence, entropy = _teacher_on_training_views(study, [chain.keys[number] for chain in chains])
        records.append(
            {
                "group": group.name,
                "generation": number,
                "name": group.column(number),
                "chains": len(chains),
                "error": errors.mean(),
                "error_spread": errors.std(ddof=1) if len(errors) > 1 else np.nan,
                "held_out_error": _mean(held_out),
                "log_likelihood": np.mean([score.log_likelihoods.mean(dtype=np.float64) for score in read]),
                "calibration_error": np.mean([score.calibration_error for score in read]),
                "confidence": np.mean([score.confidence for score in read]),
                "entropy": np.mean([score.entropy for score in read]),
                "agreement": _mean(_agreements(study, scores, chains, number)),
                "teacher_confidence": confidence,
                "teacher_entropy": entropy,
                "diversity_in_chain": _mean(_within(scores, chains, number)),
                "diversity_over_seeds": disagreement([score.predicted for score in read]),
            }
        )
    return pd.DataFrame(records)


def by_class(group: ChainGroup, scores: ScoredPredictions) -> pd.DataFrame:
    """The last generation against the baseline on each class's test images, means over chains.

    Errors in percent, differences in points with their 95 % intervals, uncorrected; negative is a gain. ``class`` is
    the name of a class, and absent where the members have none. Empty where the metric is not one of classes.
    """
    records = []
    names = _class_names(group)
    compared = group.last and group.metric.is_classification
    usable = scores.readable(group.chains, 0, group.last) if compared else []
    chains = independent_chains(usable, group.last)
    if chains:
        first, last = losses(scores.for_generation(chains, 0)), losses(scores.for_generation(chains, group.last))
        labels, scale = scores.for_generation(chains, 0)[0].labels, group.metric.scale
        for label in np.unique(labels):
            of_class = labels == label
            if of_class.sum() < 2:
                continue
            interval = interval_of_chains(chains, first[:, of_class], last[:, of_class], scale)
            records.append(
                {
                    "group": group.name,
                    "label": int(label),
                    **({"class": names[label] if label < len(names) else str(label)} if names else {}),
                    "images": int(of_class.sum()),
                    "baseline_error": scale * first[:, of_class].mean(),
                    "error": scale * last[:, of_class].mean(),
                    "difference": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                }
            )
    return pd.DataFrame(records)


def class_titles(classes: pd.DataFrame) -> list[str]:
    """What the class of each row of `by_class` is called: its name, or its number where that is not known."""
    return classes["class" if "class" in classes else "label"].map(str).tolist()


def _class_names(group: ChainGroup) -> list[str]:
    """Names by label, of provenance, which anyone may have written; empty where there are none."""
    recorded = group.last_member.provenance.get("class_names")
    if not isinstance(recorded, list) or not all(isinstance(name, str) for name in recorded):
        return []
    return [" ".join(str(name).split()) for name in recorded]


def extreme_classes(classes: pd.DataFrame) -> pd.DataFrame:
    """Rows of `by_class` from the largest gain to the largest loss; of many the `EXTREMES` at either end."""
    ordered = classes.sort_values("difference", kind="stable")
    many = len(ordered) > 2 * EXTREMES
    return pd.concat([ordered.head(EXTREMES), ordered.tail(EXTREMES)]) if many else ordered


def _within(scores: ScoredPredictions, chains: Sequence[RecordedChain], number: int) -> list[float]:
    shares = []
    for chain in chains:
        own = scores.get(chain.keys[number])
        others = [other for n, key in enumerate(chain.keys) if n != number and (other := scores.get(key))]
        if own and others:
            shares.append(float(np.mean([100 - agreement(own, other) for other in others])))
    return shares


def _agreements(study: Study, scores: ScoredPredictions, chains: Sequence[RecordedChain], number: int) -> list[float]:
    shares = []
    for chain in chains:
        member, own = chain.member(number), scores.get(chain.keys[number])
        if member is None or own is None or not member.generation.teachers:
            continue
        taught = _taught_classes(study, scores, member.generation.teachers)
        if taught is not None and len(taught) == len(own.predicted):
            shares.append(float(100 * np.mean(taught == own.predicted)))
    return shares


def _taught_classes(study: Study, scores: ScoredPredictions, teachers: Sequence[str]) -> NDArray[np.integer] | None:
    """The class that the teachers' averaged probabilities favour on each test image."""
    if len(teachers) == 1:
        teacher = scores.get(teachers[0])
        return teacher.predicted if teacher else None
    read = [study.read_predictions(key) for key in teachers if key in study.records]
    stored = [predictions.test for predictions in read if predictions is not None]
    return predicted(combine(stored)) if len(stored) == len(teachers) else None


def _teacher_on_training_views(study: Study, keys: Sequence[str]) -> tuple[float, float]:
    """Mean confidence and entropy of the teacher in the last epoch of each member's history."""
    taught = [key for key in keys if study.records[key].generation.teachers]
    last = study.histories(taught).groupby("key").tail(1)
    return float(last["teacher_confidence"].mean()), float(last["teacher_entropy"].mean())


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
