"""Each chain's two networks on their own: estimand (a)."""

from dataclasses import dataclass

from analysis.clusters import distinct
from analysis.gains.paired import McNemar, mcnemar, paired_bootstrap
from analysis.groups import Group
from analysis.outcomes import Outcomes


@dataclass(frozen=True)
class Pair:
    """Two networks of one chain on new images: estimand (a)."""

    seed: int | None
    against_error: float
    error: float
    low: float
    high: float
    test: McNemar


def pairs(group: Group, outcomes: Outcomes, most: int | None = None) -> list[Pair]:
    """The last generation against the baseline of each chain on its own: these two networks on new images.

    Empty where the losses are not errors of classes, for which alone McNemar's test is.

    Args:
        most: chains at most, the first in the order of their seeds.
    """
    found: list[Pair] = []
    if not group.metric.classes:
        return found
    for chain in distinct(outcomes.usable(group.with_pair(group.last), 0, group.last), group.last)[:most]:
        (first,), (last,) = outcomes.of([chain], 0), outcomes.of([chain], group.last)
        low, high = paired_bootstrap(first.losses, last.losses)
        test = mcnemar(first.losses, last.losses)
        scale = group.metric.scale
        found.append(
            Pair(chain.seed, scale * float(first.losses.mean()), scale * float(last.losses.mean()), low, high, test)
        )
    return found
