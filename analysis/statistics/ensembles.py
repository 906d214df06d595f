"""Ensembles of a chain's generations against the control that matters: as many independent label-only networks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

import numpy as np
import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.spec_text import generation_name
from analysis.data.study import Study
from analysis.statistics.control_pool import Control, IndependentControls
from analysis.statistics.scored_predictions import MemberScores, disagreement, score_member
from ban_ray.evaluation.ensembles import Ensemble, combine, paper_ensemble
from ban_ray.evaluation.metrics import Metric
from ban_ray.evaluation.predictions import predicted
from ban_ray.population import Predictions

PAPERS = "Ens*"
"""Begins the names of the papers' ensembles."""
ALL_SUBSETS_UP_TO = 6
"""Networks of a chain, the baseline included, of which every subset is formed; longer chains get Ens*k alone."""


@dataclass(frozen=True)
class EnsembleResult:
    """One subset of a group's chains as an ensemble.

    Attributes:
        name: Ens*k as the papers define it, or the members.
        chains: averaged over.
        error, held_out_error: the metric, mean over chains; NaN where nothing was held out. spread: the standard
            deviation of `error`.
        log_likelihood: mean over chains and test samples, nats.
        diversity: share of test samples on which two of its networks differ, percent.
        networks: independent label-only networks available.
        same_size: against as many of them. same_cost: against as many as were trained for it; see `cost`.
        errors, held_out_errors: by the seed of the chain; empty where nothing was held out.
    """

    group: ChainGroup
    name: str
    which: Ensemble
    chains: int
    error: float
    spread: float
    held_out_error: float
    log_likelihood: float
    diversity: float
    networks: int
    same_size: Control | None
    same_cost: Control | None
    errors: Mapping[int | None, float]
    held_out_errors: Mapping[int | None, float]

    @property
    def of_papers(self) -> bool:
        """Whether it is an Ens*k as the papers define it."""
        return self.name.startswith(PAPERS)

    @property
    def size(self) -> int:
        """Networks averaged."""
        return len(self.which.generations)

    @property
    def cost(self) -> int:
        """Networks trained for it, the baseline counted."""
        return max(self.which.generations) + 1

    @property
    def controls(self) -> list[Control]:
        return [control for control in (self.same_size, self.same_cost) if control]


@dataclass(frozen=True)
class _OfChain:
    test: MemberScores
    held_out: float
    diversity: float


def subsets(last: int) -> dict[Ensemble, str]:
    """Ens*k for every k that a chain of `last` born-again generations has, then every other subset, with names.

    The name says so where the baseline fills in for BAN-k.
    """
    named: dict[Ensemble, str] = {}
    for k in range(2, last + 2):
        which = paper_ensemble(k, last)
        if which is not None:
            named[which] = f"Ens*{k} (with the baseline)" if which.filled else f"Ens*{k}"
    taken = {which.generations for which in named}
    for size in range(2, last + 2) if last < ALL_SUBSETS_UP_TO else ():
        for members in combinations(range(last + 1), size):
            if members not in taken:
                named[Ensemble(members, False)] = " + ".join(map(generation_name, members))
    return named


def of_group(
    study: Study,
    group: ChainGroup,
    *,
    papers_only: bool = False,
    sizes: Collection[int] | None = None,
    controls: bool = True,
) -> list[EnsembleResult]:
    """Every subset of a group's chains against independent label-only networks; none where not all after the first
    generation were taught.

    Args:
        papers_only: Ens*k alone.
        sizes: numbers of networks averaged; all unless given.
        controls: whether the label-only networks are read; without them there is nothing to compare with.
    """
    if not group.last or not all(group.representatives[n].generation.teachers for n in range(1, group.last + 1)):
        return []
    names = {
        which: name
        for which, name in subsets(group.last).items()
        if (name.startswith(PAPERS) or not papers_only) and (sizes is None or len(which.generations) in sizes)
    }
    scores: dict[Ensemble, dict[RecordedChain, _OfChain]] = {which: {} for which in names}
    for chain in group.with_generations(*range(group.last + 1)):
        stored = _read(study, chain, group.last)
        for which in names if stored else ():
            scores[which][chain] = _of_chain([stored[number] for number in which.generations], group.metric)
    if not any(scores.values()):
        return []
    pool = IndependentControls(study, group) if controls else None
    return [_result(group, name, which, scores[which], pool) for which, name in names.items()]


def frame(results: Sequence[EnsembleResult]) -> pd.DataFrame:
    """One row an ensemble, in the units of `EnsembleResult`; ``members`` are numbers of generations.

    ``same_size`` and ``same_cost`` are numbers of networks in the two controls; what begins with them is of that
    control (see `Control`), the difference in the metric's points with its 95 % interval, uncorrected.
    """
    rows = []
    for result in results:
        row: dict[str, object] = {
            "group": result.group.name,
            "name": result.name,
            "members": result.which.generations,
            "size": result.size,
            "filled": result.which.filled,
            "chains": result.chains,
            "error": result.error,
            "error_spread": result.spread,
            "held_out_error": result.held_out_error,
            "log_likelihood": result.log_likelihood,
            "diversity": result.diversity,
            "networks": result.networks,
        }
        controls = ("same_size", result.size, result.same_size), ("same_cost", result.cost, result.same_cost)
        for prefix, size, control in controls:
            row |= {
                prefix: size,
                f"{prefix}_error": control.error if control else np.nan,
                f"{prefix}_difference": control.interval.estimate if control else np.nan,
                f"{prefix}_low": control.interval.low if control else np.nan,
                f"{prefix}_high": control.interval.high if control else np.nan,
                f"{prefix}_sets": control.interval.chains if control else 0,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _of_chain(members: Sequence[Predictions], metric: Metric) -> _OfChain:
    held_out_labels = members[0].held_out_labels
    held_out = float("nan")
    if len(held_out_labels):
        held_out = metric.mean(metric.losses(combine([member.held_out for member in members]), held_out_labels))
    return _OfChain(
        test=score_member(combine([member.test for member in members]), members[0].test_labels, metric),
        held_out=held_out,
        diversity=disagreement([predicted(member.test) for member in members]),
    )


def _result(
    group: ChainGroup,
    name: str,
    which: Ensemble,
    scores: Mapping[RecordedChain, _OfChain],
    pool: IndependentControls | None,
) -> EnsembleResult:
    tests = {chain: score.test for chain, score in scores.items()}
    errors = {chain: group.metric.mean(test.losses) for chain, test in tests.items()}
    values = list(errors.values())
    return EnsembleResult(
        group=group,
        name=name,
        which=which,
        chains=len(scores),
        error=float(np.mean(values)),
        spread=float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
        held_out_error=float(np.mean([score.held_out for score in scores.values()])),
        log_likelihood=float(np.mean([test.log_likelihoods.mean(dtype=np.float64) for test in tests.values()])),
        diversity=float(np.mean([score.diversity for score in scores.values()])),
        networks=len(pool) if pool else 0,
        same_size=pool.control(tests, len(which.generations)) if pool else None,
        same_cost=pool.control(tests, max(which.generations) + 1) if pool else None,
        errors={chain.seed: error for chain, error in errors.items()},
        held_out_errors={chain.seed: s.held_out for chain, s in scores.items() if not isnan(s.held_out)},
    )


def _read(study: Study, chain: RecordedChain, last: int) -> list[Predictions]:
    """All of a chain's predictions, or none where one cannot be read."""
    predictions = [study.read_predictions(key) for key in chain.keys[: last + 1]]
    readable = [stored for stored in predictions if stored is not None]
    return readable if len(readable) == len(predictions) else []
