"""The choice by held-out data, and the one comparison on test data that says what self-distillation adds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from analysis.statistics.crossed_interval import CrossedInterval, crossed_interval
from analysis.statistics.scored_predictions import Losses
from analysis.verdict.choice import Choice, interval_of

ONE_STANDARD_ERROR = 0.683
"""Level of an interval of one standard error to each side, of many seeds; wider for few."""

CLAIM_LEVEL = 0.975
"""Of the interval of what distillation adds. Held-out data choose the wrong undistilled network now and then, which
favours the distilled one by a part of a standard error: with 95 %, a gain that is not there would be claimed in up to
5 % of simulated studies."""


TIE = 1e-9
"""Scores that differ by less are equal but for rounding."""


@dataclass(frozen=True)
class Added:
    """The distilled choice against the undistilled one of no more cost, both of the lowest held-out loss.

    Attributes:
        interval: of the test loss, distilled minus undistilled.
        times_chosen: number of seeds for which the other seeds choose this distilled one too, of all in `first`.
        first, second: test losses (seeds, images) of the undistilled and the distilled choice of each seed.
    """

    distilled: Choice
    undistilled: Choice
    interval: CrossedInterval
    times_chosen: int
    first: Losses = field(repr=False)
    second: Losses = field(repr=False)


def held_out_score(choice: Choice, baseline: Choice, without: int | None = None) -> float:
    """Mean held-out loss minus the baseline's of the same seeds, so that choices of other seeds can be compared.

    Args:
        without: a seed that is left out.

    Returns:
        Infinity where there is no seed.
    """
    own, first = choice.held_out_means, baseline.held_out_means
    seeds = [seed for seed in own if seed in first and seed != without]
    return fmean(own[seed] - first[seed] for seed in seeds) if seeds else float("inf")


def lowest(choices: Sequence[Choice], baseline: Choice, without: int | None = None) -> list[Choice]:
    """The choices of the lowest held-out score, the cheapest first; several on ties, none where no choice has one."""
    scores = [held_out_score(choice, baseline, without) for choice in choices]
    least = min(scores, default=float("inf"))
    if least == float("inf"):
        return []
    return sorted((c for c, own in zip(choices, scores, strict=True) if own <= least + TIE), key=lambda c: c.cost)


def cheapest_unbeaten(choices: Sequence[Choice], baseline: Choice) -> Choice | None:
    """The cheapest choice that none is better than by more than one standard error on held-out data; among those of
    equal cost the one of the lowest score.

    The one-standard-error rule (Breiman et al. 1984, section 3.4.3) on paired differences. A stricter level would keep
    cheap choices of which test data, often more numerous, then show that others are better: with 95 % intervals, in one
    of ten simulated studies. A choice that is beaten by chance makes way for one that is as good and costs more.
    """
    ranked = sorted(choices, key=lambda choice: held_out_score(choice, baseline))
    for choice in sorted(ranked, key=lambda choice: choice.cost):
        if not any(_beats(other, choice) for other in ranked if other is not choice):
            return choice
    return ranked[0] if ranked else None


def added_by_distillation(choices: Sequence[Choice], baseline: Choice, scale: float) -> Added | None:
    """What the distilled choices add to the undistilled ones, on test data; None where either is missing.

    For each seed, the distilled choice is made on the held-out data of the other seeds. If its own seed had a part in
    it, it would be the one that this seed's networks were lucky in, the more so the more there are to choose from, and
    the luck of a network is the same on held-out and test data. The undistilled one is chosen by all seeds, since its
    luck only makes a claim harder. Where several distilled choices are as good, the mean of their losses counts. With
    one seed the interval is conditional on its networks, and held-out data choose both.
    """
    distilled = [choice for choice in choices if choice.role == "distilled"]
    undistilled = [choice for choice in choices if choice.role == "undistilled"]
    chosen = _pair(distilled, undistilled, baseline)
    if chosen is None:
        return None
    seeds = sorted({seed for choice in distilled for seed in choice.test})
    pairs, times = [], 0
    for seed in seeds:
        parts = [[choice for choice in part if seed in choice.test] for part in (distilled, undistilled)]
        pair = _pair(parts[0], parts[1], baseline, without=seed if len(seeds) > 1 else None)
        if pair is not None:
            pairs.append((pair[1].test[seed], np.mean([choice.test[seed] for choice in pair[0]], axis=0)))
            times += chosen[0][0] in pair[0]
    if not pairs:
        return None
    first, second = (np.stack(losses) for losses in zip(*pairs, strict=True))
    interval = crossed_interval(first, second, level=CLAIM_LEVEL, scale=scale)
    return Added(chosen[0][0], chosen[1], interval, times, first, second)


def _pair(
    distilled: Sequence[Choice], undistilled: Sequence[Choice], baseline: Choice, without: int | None = None
) -> tuple[list[Choice], Choice] | None:
    """The distilled choices of the lowest score, and the undistilled one that costs no more than the cheapest."""
    first = lowest(distilled, baseline, without)
    if not first:
        return None
    second = lowest([choice for choice in undistilled if choice.cost <= first[0].cost], baseline)
    return (first, second[0]) if second else None


def _beats(choice: Choice, other: Choice) -> bool:
    interval = interval_of(choice, other, "held_out", 1.0, ONE_STANDARD_ERROR)
    return interval is not None and interval.high < 0
