"""Estimand (a): each chain's two networks on their own."""

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.statistics.independence import independent_chains
from analysis.statistics.paired_tests import mcnemar, paired_bootstrap
from analysis.statistics.scored_predictions import ScoredPredictions

COLUMNS = {
    "group": "chains that are alike apart from seeds",
    "label_noise": "share of the training labels replaced at random",
    "chain_seed": "of the chain; None where it was not recorded",
    "baseline_error": "percent",
    "error": "of the last generation, percent",
    "difference": "points; negative is a gain",
    "low": "of the 95 % interval over new images, points",
    "high": "of the 95 % interval over new images, points",
    "gained": "images that only the baseline gets wrong",
    "lost": "images that only the last generation gets wrong",
    "mcnemar_exact": "two-sided p-value",
    "mcnemar_mid_p": "two-sided p-value",
}


def pairs(group: ChainGroup, scores: ScoredPredictions, most: int | None = None) -> pd.DataFrame:
    """The last generation against the baseline of each chain: these two networks on new images.

    Empty where the losses are not errors of classes, which McNemar's test is for.

    Args:
        most: chains at most, the first in the order of their seeds.
    """
    rows = []
    readable = scores.readable(group.with_baseline_and(group.last), 0, group.last) if group.metric.classes else []
    for chain in independent_chains(readable, group.last)[:most]:
        (first,), (last,) = scores.for_generation([chain], 0), scores.for_generation([chain], group.last)
        errors = [group.metric.mean(score.losses) for score in (first, last)]
        interval, test = paired_bootstrap(first.losses, last.losses), mcnemar(first.losses, last.losses)
        difference = errors[1] - errors[0]
        tested = (test.gained, test.lost, test.exact, test.mid_p)
        rows.append((group.name, group.task.label_noise, chain.seed, *errors, difference, *interval, *tested))
    return pd.DataFrame(rows, columns=list(COLUMNS))
