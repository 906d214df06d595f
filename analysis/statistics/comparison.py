"""A comparison of a generation with its baseline or a control, one averaged over groups, and a frame of many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.statistics.crossed_interval import CrossedInterval
from analysis.statistics.independence import interval_of_chains
from analysis.statistics.scored_predictions import Losses, MemberScores, log_likelihoods, losses
from analysis.statistics.wording import sentence
from ban_ray.evaluation.metrics import Metric


@dataclass(frozen=True)
class Comparison:
    """Members of one group against their generation 0, or against a control.

    Attributes:
        interval: of the metric, over new seeds and images. likelihood: of the log-likelihood, nats a sample; None for
            a pooled comparison.
        error, against_error: means over the paired chains, in the metric's unit.
        chains, first, second: the pairs: chains of the group, losses (chains, images) of what they are compared with
            and of themselves.
        control_cost: device-seconds that a network of the control took, mean; NaN for other kinds.
        p_holm: None for the primary comparison, and before the correction.
        averaged_over: what a pooled comparison averages, for example ``4 networks``.
    """

    group: ChainGroup
    kind: str
    name: str
    against: str
    generation: int
    interval: CrossedInterval
    likelihood: CrossedInterval | None
    error: float
    against_error: float
    chains: Sequence[RecordedChain] = field(default=(), repr=False)
    first: Losses | None = field(default=None, repr=False)
    second: Losses | None = field(default=None, repr=False)
    control_cost: float = float("nan")
    primary: bool = False
    p_holm: float | None = None
    averaged_over: str = ""

    @property
    def title(self) -> str:
        """The name, with what it is averaged over."""
        return f"{self.name}, averaged over {self.averaged_over}," if self.averaged_over else self.name

    def __str__(self) -> str:
        return sentence(self.interval, self.title, self.against, self.group.metric.points)


def compare(
    group: ChainGroup,
    kind: str,
    name: str,
    against: str,
    generation: int,
    chains: Sequence[RecordedChain],
    pair: tuple[Sequence[MemberScores], Sequence[MemberScores]],
) -> Comparison:
    """The comparison of a pair of scores of chains: of what they are compared with, and of their own generation."""
    first, second = losses(pair[0]), losses(pair[1])
    return Comparison(
        group=group,
        kind=kind,
        name=name,
        against=against,
        generation=generation,
        interval=interval_of_chains(chains, first, second, group.metric.scale),
        likelihood=interval_of_chains(chains, log_likelihoods(pair[0]), log_likelihoods(pair[1]), 1.0),
        error=mean_of(group.metric, second),
        against_error=mean_of(group.metric, first),
        chains=chains,
        first=first,
        second=second,
    )


def pooled(parts: Sequence[Comparison]) -> Comparison | None:
    """The mean over groups of their differences, over the seeds that all of them have; negative is a gain.

    Seeds and images stay the random factors, the groups are those that were chosen to be run; groups of the same
    chains count as one. None for fewer than two groups, without a common seed, or where the groups' test images are
    not the same number.
    """
    different: dict[tuple[tuple[str, ...], ...], Comparison] = {}
    for part in parts:
        different.setdefault(tuple(chain.keys for chain in part.chains), part)
    parts = list(different.values())
    if len(parts) < 2:
        return None
    by_seed = [{chain.seed: position for position, chain in enumerate(part.chains)} for part in parts]
    seeds = [seed for seed in by_seed[0] if all(seed in positions for positions in by_seed)]
    firsts, seconds = [], []
    for part, positions in zip(parts, by_seed, strict=True):
        if part.first is None or part.second is None:
            return None
        chosen = [positions[seed] for seed in seeds]
        firsts.append(part.first[chosen])
        seconds.append(part.second[chosen])
    if not seeds or len({first.shape[1] for first in firsts}) > 1:
        return None
    lead = parts[0]
    what = "networks" if len({part.group.network for part in parts}) == len(parts) else "configurations"
    chains = [lead.chains[by_seed[0][seed]] for seed in seeds]
    first, second = np.mean(firsts, axis=0), np.mean(seconds, axis=0)
    return Comparison(
        group=lead.group,
        kind="pooled",
        name=lead.name,
        averaged_over=f"{len(parts)} {what}",
        # A reference that has another network in each group goes by its column.
        against=lead.against if len({part.against for part in parts}) == 1 else lead.group.column(0),
        generation=lead.generation,
        interval=interval_of_chains(chains, first, second, lead.group.metric.scale),
        likelihood=None,
        error=float(np.mean([mean_of(lead.group.metric, part) for part in seconds])),
        against_error=float(np.mean([mean_of(lead.group.metric, part) for part in firsts])),
    )


def mean_of(metric: Metric, losses: NDArray[Any]) -> float:
    """The metric of losses (chains, images), averaged over the chains."""
    return float(np.mean([metric.mean(row) for row in losses]))


def scope_of(comparisons: Sequence[Comparison]) -> str:
    """The scope of the intervals of comparisons, in words."""
    samples = "/".join(dict.fromkeys(comparison.group.metric.sample_noun for comparison in comparisons)) or "images"
    conditional = {comparison.interval.scope.startswith("conditional") for comparison in comparisons}
    if conditional == {True}:
        return f"over new {samples}, conditional on these networks or their teacher"
    return f"over new seeds and new {samples}{' (with one root: as noted)' if True in conditional else ''}"


def frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row a comparison; of a pooled one ``group`` is the first.

    Units: the metric's for ``error`` and ``against_error`` (of images percent), its points for ``difference``, its
    95 % interval, ``standard_error`` and ``smallest_detectable``; below zero is a gain. Differences of log-likelihoods
    are nats a sample; above zero is a gain. ``p_holm`` is NaN for the primary comparison.
    """
    rows = []
    for comparison in comparisons:
        group, interval, likelihood = comparison.group, comparison.interval, comparison.likelihood
        rows.append(
            {
                "group": group.name,
                "task": group.task.name,
                "metric": group.metric.name,
                "label_noise": group.task.label_noise,
                "kind": comparison.kind,
                "name": comparison.title,
                "against": comparison.against,
                "generation": comparison.generation,
                "primary": comparison.primary,
                "chains": interval.chains,
                "roots": interval.roots,
                "images": interval.images,
                "scope": interval.scope,
                "against_error": comparison.against_error,
                "error": comparison.error,
                "difference": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "standard_error": interval.standard_error,
                "degrees_of_freedom": interval.degrees_of_freedom,
                "smallest_detectable": interval.smallest_detectable,
                "p": interval.p_value,
                "p_holm": math.nan if comparison.p_holm is None else comparison.p_holm,
                "log_likelihood_difference": likelihood.estimate if likelihood else math.nan,
                "log_likelihood_low": likelihood.low if likelihood else math.nan,
                "log_likelihood_high": likelihood.high if likelihood else math.nan,
            }
        )
    return pd.DataFrame(rows)
