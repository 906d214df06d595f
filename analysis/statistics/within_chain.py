"""Estimand (a): each chain's two networks on their own."""

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.statistics.independence import independent_chains
from analysis.statistics.paired_tests import mcnemar, paired_bootstrap
from analysis.statistics.scored_predictions import ScoredPredictions


def pairs(group: ChainGroup, scores: ScoredPredictions, most: int | None = None) -> pd.DataFrame:
    """The last generation against the baseline of each chain: these two networks on new images.

    Errors in percent, differences in points with their 95 % intervals; negative is a gain. ``gained`` and ``lost`` are
    numbers of images, the p-values two-sided. Empty where the losses are not errors of classes, which McNemar's test
    is for.

    Args:
        most: chains at most, the first in the order of their seeds.
    """
    rows = []
    readable = scores.readable(group.chains, 0, group.last) if group.metric.is_classification else []
    for chain in independent_chains(readable, group.last)[:most]:
        (first,), (last,) = scores.for_generation([chain], 0), scores.for_generation([chain], group.last)
        errors = [group.metric.mean(score.losses) for score in (first, last)]
        (low, high), test = paired_bootstrap(first.losses, last.losses), mcnemar(first.losses, last.losses)
        rows.append(
            {
                "group": group.name,
                "label_noise": group.task.label_noise,
                "chain_seed": chain.seed,
                "baseline_error": errors[0],
                "error": errors[1],
                "difference": errors[1] - errors[0],
                "low": low,
                "high": high,
                "gained": test.gained,
                "lost": test.lost,
                "mcnemar_exact": test.exact,
                "mcnemar_mid_p": test.mid_p,
            }
        )
    return pd.DataFrame(rows)
