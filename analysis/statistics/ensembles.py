"""Ensembles of a chain's generations against the control that matters: as many independent label-only networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.spec_text import generation_name
from analysis.statistics.control_pool import Control, IndependentControls
from analysis.statistics.scored_predictions import MemberScores, disagreement, score_member
from ban_ray.evaluation.ensembles import Ensemble, combine, paper_ensemble
from ban_ray.evaluation.metrics import Metric
from ban_ray.evaluation.predictions import predicted
from ban_ray.population import Predictions

if TYPE_CHECKING:
    from analysis.data.study import Study

ALL_SUBSETS_UP_TO = 6
"""Networks of a chain, the baseline included, of which every subset is formed; longer chains get Ens*k alone."""

COLUMNS = {
    "group": "chains that are alike apart from seeds",
    "name": "Ens*k as the papers define it, or the members",
    "members": "generation numbers",
    "size": "networks averaged",
    "filled": "whether the baseline stands in for a BAN-k that was not trained",
    "chains": "averaged over",
    "error": "mean over chains on test, percent",
    "error_spread": "standard deviation over chains, percent",
    "held_out_error": "mean over chains, percent; NaN where nothing was held out",
    "log_likelihood": "mean over chains and test images, nats",
    "diversity": "share of test images on which two of its networks differ, percent",
    "networks": "independent label-only networks at hand",
    "same_size": "networks in the first control: as many",
    "same_size_error": "of that control, percent",
    "same_size_difference": "ensemble minus that control, over disjoint sets of control networks, points",
    "same_size_low": "of the 95 % interval, uncorrected",
    "same_size_high": "of the 95 % interval, uncorrected",
    "same_size_sets": "disjoint sets, each against one chain",
    "same_cost": "networks in the second control: trained for the ensemble, the baseline counted; k + 1 for Ens*k",
    "same_cost_error": "of that control, percent",
    "same_cost_difference": "ensemble minus that control, points",
    "same_cost_low": "of the 95 % interval, uncorrected",
    "same_cost_high": "of the 95 % interval, uncorrected",
    "same_cost_sets": "disjoint sets, each against one chain",
}


@dataclass(frozen=True)
class EnsembleResult:
    """One subset of a group's chains as an ensemble; the columns of `frame` describe its numbers."""

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
    if last < ALL_SUBSETS_UP_TO:
        for size in range(2, last + 2):
            for members in combinations(range(last + 1), size):
                if members not in taken:
                    named[Ensemble(members, False)] = " + ".join(map(generation_name, members))
    return named


def of_group(study: "Study", group: ChainGroup, *, papers_only: bool = False) -> list[EnsembleResult]:
    """Every subset of a group's chains against independent label-only networks.

    Args:
        papers_only: Ens*k alone.
    """
    if not group.last:
        return []
    wanted = {which: name for which, name in subsets(group.last).items() if name.startswith("Ens*") or not papers_only}
    found: dict[Ensemble, dict[RecordedChain, _OfChain]] = {which: {} for which in wanted}
    for chain in group.with_generations(*range(group.last + 1)):
        stored = _read(study, chain, group.last)
        for which in wanted if stored else ():
            found[which][chain] = _of_chain([stored[number] for number in which.generations], group.metric)
    if not any(found.values()):
        return []
    pool = IndependentControls(study, group)
    return [_result(group, name, which, found[which], pool) for which, name in wanted.items()]


def frame(found: Sequence[EnsembleResult]) -> pd.DataFrame:
    """One row an ensemble; the columns are `COLUMNS`."""
    rows = []
    for one in found:
        row = {
            "group": one.group.name,
            "name": one.name,
            "members": one.which.generations,
            "size": len(one.which.generations),
            "filled": one.which.filled,
            "chains": one.chains,
            "error": one.error,
            "error_spread": one.spread,
            "held_out_error": one.held_out_error,
            "log_likelihood": one.log_likelihood,
            "diversity": one.diversity,
            "networks": one.networks,
        }
        for prefix, size, control in (
            ("same_size", len(one.which.generations), one.same_size),
            ("same_cost", max(one.which.generations) + 1, one.same_cost),
        ):
            row |= {
                prefix: size,
                f"{prefix}_error": control.error if control else np.nan,
                f"{prefix}_difference": control.interval.estimate if control else np.nan,
                f"{prefix}_low": control.interval.low if control else np.nan,
                f"{prefix}_high": control.interval.high if control else np.nan,
                f"{prefix}_sets": control.interval.chains if control else 0,
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_chain(members: Sequence[Predictions], metric: Metric) -> _OfChain:
    labels, held_out_labels = members[0].test_labels, members[0].held_out_labels
    held_out = float("nan")
    if len(held_out_labels):
        held_out = metric.mean(metric.losses(combine([one.held_out for one in members]), held_out_labels))
    return _OfChain(
        test=score_member(combine([one.test for one in members]), labels, metric),
        held_out=held_out,
        diversity=disagreement([predicted(one.test) for one in members]),
    )


def _result(
    group: ChainGroup, name: str, which: Ensemble, found: dict[RecordedChain, _OfChain], pool: IndependentControls
) -> EnsembleResult:
    outcomes = {chain: one.test for chain, one in found.items()}
    errors = [group.metric.mean(one.losses) for one in outcomes.values()]
    return EnsembleResult(
        group=group,
        name=name,
        which=which,
        chains=len(found),
        error=float(np.mean(errors)),
        spread=float(np.std(errors, ddof=1)) if len(errors) > 1 else float("nan"),
        held_out_error=float(np.mean([one.held_out for one in found.values()])),
        log_likelihood=float(np.mean([one.log_likelihoods.mean(dtype=np.float64) for one in outcomes.values()])),
        diversity=float(np.mean([one.diversity for one in found.values()])),
        networks=len(pool),
        same_size=pool.control(outcomes, len(which.generations)),
        same_cost=pool.control(outcomes, max(which.generations) + 1),
    )


def _read(study: "Study", chain: RecordedChain, last: int) -> list[Predictions]:
    """All of a chain's predictions, or none where one cannot be read."""
    found = [study.read_predictions(key) for key in chain.keys[: last + 1]]
    read = [one for one in found if one is not None]
    return read if len(read) == len(found) else []
