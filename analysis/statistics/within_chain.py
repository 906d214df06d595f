"""Each chain's two networks on their own: estimand (a)."""

from dataclasses import dataclass

from analysis.data.chain_groups import ChainGroup
from analysis.statistics.independence import independent_chains
from analysis.statistics.paired_tests import McNemar, mcnemar, paired_bootstrap
from analysis.statistics.scored_predictions import ScoredPredictions


@dataclass(frozen=True)
class Pair:
    """Two networks of one chain on new images: estimand (a)."""

    seed: int | None
    against_error: float
    error: float
    low: float
    high: float
    test: McNemar


def pairs(group: ChainGroup, outcomes: ScoredPredictions, most: int | None = None) -> list[Pair]:
    """The last generation against the baseline of each chain on its own: these two networks on new images.

    Empty where the losses are not errors of classes, for which alone McNemar's test is.

    Args:
        most: chains at most, the first in the order of their seeds.
    """
    found: list[Pair] = []
    if not group.metric.classes:
        return found
    for chain in independent_chains(outcomes.readable(group.with_baseline_and(group.last), 0, group.last), group.last)[
        :most
    ]:
        (first,), (last,) = outcomes.for_generation([chain], 0), outcomes.for_generation([chain], group.last)
        low, high = paired_bootstrap(first.losses, last.losses)
        test = mcnemar(first.losses, last.losses)
        scale = group.metric.scale
        found.append(
            Pair(chain.seed, scale * float(first.losses.mean()), scale * float(last.losses.mean()), low, high, test)
        )
    return found
