"""The measurements that the words, tables and figures of one page are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.study import Study
from analysis.plots.learning import curve_keys
from analysis.statistics.comparison import Comparison
from analysis.statistics.ensembles import EnsembleResult, of_group
from analysis.statistics.generation_metrics import by_class, by_generation
from analysis.statistics.greedy_selection import greedy
from analysis.statistics.scored_predictions import ScoredPredictions
from analysis.statistics.teacher_share import TeacherShare, teacher_share
from analysis.statistics.within_chain import pairs

MOST_MEASURED = 12
"""Groups, chains before controls, whose ensembles, calibration, agreement and diversity are measured."""
MOST_CHAINS = 100
"""Chains of a group on which these are measured."""
MOST_PAIRS = 20


@dataclass(frozen=True)
class Measurements:
    """Measurements of the groups of a page.

    Attributes:
        chosen: the group of the primary comparison, None where there is none.
        measured: groups with rows in `measures`.
        ensembles: Ens*k of measured groups, and every subset of the chosen one.
        classes, pairs, greedy, histories: of the chosen group, greedy of its task.
        share: the best teacher share for the chosen group's first student; None where it cannot be estimated.
        left_out: what was not measured.
    """

    chosen: ChainGroup | None
    comparisons: Sequence[Comparison]
    measured: Sequence[ChainGroup]
    measures: pd.DataFrame
    ensembles: Sequence[EnsembleResult]
    classes: pd.DataFrame
    pairs: pd.DataFrame
    greedy: pd.DataFrame
    histories: pd.DataFrame
    share: TeacherShare | None
    left_out: tuple[str, ...]

    def of_chosen(self) -> list[EnsembleResult]:
        """The ensembles of the chosen group."""
        return [result for result in self.ensembles if result.group is self.chosen]

    @property
    def primary(self) -> Comparison | None:
        """The primary comparison."""
        return next((comparison for comparison in self.comparisons if comparison.primary), None)


def measure_all(study: Study, groups: Sequence[ChainGroup], comparisons: Sequence[Comparison]) -> Measurements:
    """Measure what the page shows beside the comparisons of these groups."""
    primary = next((comparison.group for comparison in comparisons if comparison.primary), None)
    chosen: ChainGroup | None = None
    measured: list[ChainGroup] = []
    frames = []
    ensembles: list[EnsembleResult] = []
    empty = pd.DataFrame()
    classes, networks, steps, histories = empty, empty, empty, empty
    share: TeacherShare | None = None
    for whole in _measured(groups):
        group = whole if len(whole.chains) <= MOST_CHAINS else replace(whole, chains=whole.chains[:MOST_CHAINS])
        measured.append(group)
        scores = ScoredPredictions(study, group.metric)
        frames.append(by_generation(study, group, scores))
        ensembles += of_group(study, group, papers_only=whole is not primary)
        if whole is primary:
            chosen = group
            classes = by_class(group, scores)
            networks = pairs(group, scores, most=MOST_PAIRS)
            steps = greedy(study, group.task)
            share = teacher_share(study, group)
            histories = study.histories([key for keys in curve_keys(group).values() for key in keys])
    filled = [frame for frame in frames if len(frame)]
    return Measurements(
        chosen=chosen,
        comparisons=comparisons,
        measured=measured,
        measures=pd.concat(filled, ignore_index=True) if filled else empty,
        ensembles=ensembles,
        classes=classes,
        pairs=networks,
        greedy=steps,
        histories=histories,
        share=share,
        left_out=_left_out(groups),
    )


def _measured(groups: Sequence[ChainGroup]) -> list[ChainGroup]:
    """As many groups as are measured, chains before controls, in the order given."""
    chosen = sorted(range(len(groups)), key=lambda number: not groups[number].born_again)[:MOST_MEASURED]
    return [groups[number] for number in sorted(chosen)]


def _left_out(groups: Sequence[ChainGroup]) -> tuple[str, ...]:
    what = "ensembles, calibration, agreement and diversity"
    sentences = []
    if len(groups) > MOST_MEASURED:
        sentences.append(f"Measured for {MOST_MEASURED} of {len(groups)} groups, chains before controls: {what}.")
    if any(len(group.chains) > MOST_CHAINS for group in _measured(groups)):
        sentences.append(f"Measured on the first {MOST_CHAINS} chains of a group: {what}, and gains by class.")
    return tuple(sentences)
