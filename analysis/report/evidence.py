"""All that was measured for one page, kept together for words, tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.ensembles import EnsembleResult, of_group
from analysis.gains.comparison import Comparison
from analysis.gains.pairs import Pair, pairs
from analysis.greedy import greedy
from analysis.groups import Group
from analysis.measures import by_class, by_generation
from analysis.outcomes import Outcomes
from analysis.plots.learning import curve_keys
from analysis.study import Study

MOST_MEASURED = 12
"""Groups whose ensembles, calibration, agreement and diversity are measured."""
MOST_PAIRS = 20


@dataclass(frozen=True)
class Evidence:
    """Measurements of the groups of a page.

    Attributes:
        chosen: the group of the primary comparison, None where there is none.
        measured: groups with rows in `measures`.
        ensembles: Ens*k of measured groups, and every subset of the chosen one.
        classes, pairs, greedy, histories: of the chosen group, greedy of its task.
    """

    chosen: Group | None
    comparisons: Sequence[Comparison]
    measured: Sequence[Group]
    measures: pd.DataFrame
    ensembles: Sequence[EnsembleResult]
    classes: pd.DataFrame
    pairs: Sequence[Pair]
    greedy: pd.DataFrame
    histories: pd.DataFrame

    def of_chosen(self) -> list[EnsembleResult]:
        """The ensembles of the chosen group."""
        return [one for one in self.ensembles if one.group is self.chosen]

    @property
    def primary(self) -> Comparison | None:
        """The primary comparison."""
        return next((one for one in self.comparisons if one.primary), None)


def evidence(study: Study, groups: Sequence[Group], comparisons: Sequence[Comparison]) -> Evidence:
    """Measure what the page shows beside the comparisons of these groups."""
    chosen = next((one.group for one in comparisons if one.primary), None)
    measured = list(groups[:MOST_MEASURED])
    frames = []
    ensembles: list[EnsembleResult] = []
    for group in measured:
        frames.append(by_generation(study, group, Outcomes(study, group.metric)))
        ensembles += of_group(study, group, papers_only=group is not chosen)
    kept = [frame for frame in frames if len(frame)]
    empty = pd.DataFrame()
    classes, networks, steps, histories = empty, list[Pair](), empty, empty
    if chosen is not None:
        outcomes = Outcomes(study, chosen.metric)
        classes = by_class(chosen, outcomes)
        networks = pairs(chosen, outcomes, most=MOST_PAIRS)
        steps = greedy(study, chosen.task)
        histories = study.histories([key for keys in curve_keys(chosen).values() for key in keys])
    return Evidence(
        chosen=chosen,
        comparisons=comparisons,
        measured=measured,
        measures=pd.concat(kept, ignore_index=True) if kept else empty,
        ensembles=ensembles,
        classes=classes,
        pairs=networks,
        greedy=steps,
        histories=histories,
    )
