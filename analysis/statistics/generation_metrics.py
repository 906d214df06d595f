"""What else changes with the generations: calibration, agreement with the teacher, saturation, diversity."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.study import Study
from analysis.statistics.crossed_interval import crossed_interval
from analysis.statistics.independence import independent_chains, independent_rows
from analysis.statistics.scored_predictions import ScoredPredictions, agreement, disagreement, losses
from ban_ray.evaluation.ensembles import combine
from ban_ray.evaluation.predictions import predicted

COLUMNS = {
    "group": "chains that are alike apart from seeds",
    "generation": "0 for the baseline",
    "name": "baseline, BAN-1, ...",
    "chains": "whose member of this generation can be read",
    "error": "mean over chains on test, percent",
    "error_spread": "standard deviation over chains, percent",
    "held_out_error": "mean over chains, percent; NaN where nothing was held out",
    "log_likelihood": "mean over chains and images, nats",
    "calibration_error": "expected calibration error, 15 bins, mean over chains, percent",
    "confidence": "mean largest probability on test",
    "entropy": "mean on test, nats",
    "agreement": "share of test images where it predicts its teacher's class, percent",
    "teacher_confidence": "the teacher's mean largest probability on the last epoch's training views",
    "teacher_entropy": "the teacher's mean entropy on the last epoch's training views, nats",
    "diversity_in_chain": "share of test images on which two members of a chain, this one among them, differ, percent",
    "diversity_over_seeds": "share of test images on which two seeds' members of this generation differ, percent",
}
CLASS_COLUMNS = {
    "group": "chains that are alike apart from seeds",
    "label": "class",
    "images": "test images of the class",
    "baseline_error": "mean over chains, percent",
    "error": "of the last generation, mean over chains, percent",
    "difference": "points; negative is a gain",
    "low": "of the 95 % interval, uncorrected, points",
    "high": "of the 95 % interval, uncorrected, points",
}


def by_generation(study: Study, group: ChainGroup, outcomes: ScoredPredictions) -> pd.DataFrame:
    """One row a generation of the group; the columns are `COLUMNS`."""
    records = []
    for number in sorted(group.representatives):
        chains = independent_chains(outcomes.readable(group.with_generations(number), number), number)
        if not chains:
            continue
        found = outcomes.for_generation(chains, number)
        errors = np.array([group.metric.mean(one.losses) for one in found])
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
                "log_likelihood": np.mean([one.log_likelihoods.mean(dtype=np.float64) for one in found]),
                "calibration_error": np.mean([one.calibration_error for one in found]),
                "confidence": np.mean([one.confidence for one in found]),
                "entropy": np.mean([one.entropy for one in found]),
                "agreement": _mean(_agreements(study, outcomes, chains, number)),
                "teacher_confidence": confidence,
                "teacher_entropy": entropy,
                "diversity_in_chain": _mean(_within(outcomes, chains, number)),
                "diversity_over_seeds": disagreement([one.predicted for one in found]),
            }
        )
    return pd.DataFrame(records, columns=list(COLUMNS))


def by_class(group: ChainGroup, outcomes: ScoredPredictions) -> pd.DataFrame:
    """The last generation against the baseline on each class's test images; the columns are `CLASS_COLUMNS`.

    Empty where the metric is not one of classes.
    """
    records = []
    compared = group.last and group.metric.classes
    usable = outcomes.readable(group.with_baseline_and(group.last), 0, group.last) if compared else []
    chains = independent_chains(usable, group.last)
    if chains:
        first, last = losses(outcomes.for_generation(chains, 0)), losses(outcomes.for_generation(chains, group.last))
        labels, scale = outcomes.for_generation(chains, 0)[0].labels, group.metric.scale
        errors = independent_rows(chains, first, last)
        for label in np.unique(labels):
            here = labels == label
            if here.sum() < 2:
                continue
            interval = crossed_interval(errors.first[:, here], errors.second[:, here], roots=errors.roots, scale=scale)
            records.append(
                {
                    "group": group.name,
                    "label": int(label),
                    "images": int(here.sum()),
                    "baseline_error": scale * first[:, here].mean(),
                    "error": scale * last[:, here].mean(),
                    "difference": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                }
            )
    return pd.DataFrame(records, columns=list(CLASS_COLUMNS))


def _within(outcomes: ScoredPredictions, chains: Sequence[RecordedChain], number: int) -> list[float]:
    found = []
    for chain in chains:
        mine = outcomes.get(chain.keys[number])
        read = [outcomes.get(key) for place, key in enumerate(chain.keys) if place != number and chain.member(place)]
        others = [one for one in read if one is not None]
        if mine is not None and others:
            found.append(float(np.mean([100 - agreement(mine, other) for other in others])))
    return found


def _agreements(study: Study, outcomes: ScoredPredictions, chains: Sequence[RecordedChain], number: int) -> list[float]:
    found = []
    for chain in chains:
        member, mine = chain.member(number), outcomes.get(chain.keys[number])
        if member is None or mine is None or not member.generation.teachers:
            continue
        taught = _taught_classes(study, outcomes, member.generation.teachers)
        if taught is not None and len(taught) == len(mine.predicted):
            found.append(float(100 * np.mean(taught == mine.predicted)))
    return found


def _taught_classes(study: Study, outcomes: ScoredPredictions, teachers: Sequence[str]) -> NDArray[np.integer] | None:
    """The class that the teachers' averaged probabilities favour on each test image."""
    if len(teachers) == 1:
        teacher = outcomes.get(teachers[0])
        return teacher.predicted if teacher else None
    read = [study.read_predictions(key) for key in teachers if key in study.records]
    stored = [one.test for one in read if one is not None]
    return predicted(combine(stored)) if len(stored) == len(teachers) else None


def _teacher_on_training_views(study: Study, keys: Sequence[str]) -> tuple[float, float]:
    """Mean confidence and entropy of the teacher in the last epoch of each member's history."""
    taught = [key for key in keys if study.records[key].generation.teachers]
    last = study.histories(taught).groupby("key").tail(1)
    return float(last["teacher_confidence"].mean()), float(last["teacher_entropy"].mean())


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
