"""The comparisons of a study: one primary, the others corrected for their number."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.data.chain_groups import ChainGroup, primary
from analysis.data.frames import device_seconds
from analysis.data.study import Study
from analysis.statistics.comparison import Comparison, compare, pooled
from analysis.statistics.controls import control_groups, control_name, paired_chains, stands_for_baseline
from analysis.statistics.holm import holm
from analysis.statistics.independence import independent_chains
from analysis.statistics.scored_predictions import ScoredPredictions


def comparisons(
    study: Study,
    groups: Sequence[ChainGroup],
    controls: Sequence[ChainGroup] | None = None,
    *,
    one_design: bool = False,
) -> list[Comparison]:
    """Every generation against its generation 0, and last generations against controls; the primary one comes first.

    Args:
        controls: groups among which controls are sought; `groups` unless given.
        one_design: the groups are the configurations of one search: the primary comparison is averaged over those
            that differ in their networks alone.
    """
    untaught = [group for group in (groups if controls is None else controls) if not group.born_again]
    everything = []
    for group in groups:
        scores = ScoredPredictions(study, group.metric)
        everything += against_first(group, scores)
        everything += against_controls(group, untaught, scores)
    chosen = primary(groups)
    if chosen is None:
        return corrected(everything, None)
    first = _reference(everything, chosen)
    alike = [_reference(everything, group) for group in groups if group.same_design(chosen)] if one_design else []
    averaged = pooled([comparison for comparison in alike if comparison is not None]) if first else None
    if averaged is not None:
        return corrected([averaged, *everything], averaged)
    return corrected(everything, first)


def against_first(group: ChainGroup, scores: ScoredPredictions) -> list[Comparison]:
    """Generations 1 to the last one against generation 0 of their chains, but for teachers of a student of several."""
    comparisons = []
    for number in range(1, group.last + 1):
        if group.born_again and not group.representatives[number].generation.teachers:
            continue
        readable = independent_chains(scores.readable(group.chains, 0, number), number)
        if readable:
            pair = scores.for_generation(readable, 0), scores.for_generation(readable, number)
            name, against = group.column(number), first_name(group)
            comparisons.append(compare(group, "generation", name, against, number, readable, pair))
    return comparisons


def against_controls(group: ChainGroup, groups: Sequence[ChainGroup], scores: ScoredPredictions) -> list[Comparison]:
    """The last generation against every control; chains of equal seeds are paired."""
    comparisons: list[Comparison] = []
    if not group.born_again or not group.last:
        return comparisons
    for control in control_groups(group, groups):
        last = max(control.representatives)
        own = independent_chains(scores.readable(group.chains, group.last), group.last)
        pairs = paired_chains(own, scores.readable(control.chains, last))
        if not pairs:
            continue
        chains = [chain for chain, _ in pairs]
        others = [other for _, other in pairs]
        pair = scores.for_generation(others, last), scores.for_generation(chains, group.last)
        kind = "baseline" if stands_for_baseline(group, control) else "control"
        name, against = group.column(group.last), control_name(group, control)
        comparison = compare(group, kind, name, against, group.last, chains, pair)
        cost = [device_seconds(member) for other in others if (member := other.member(last))]
        comparisons.append(replace(comparison, control_cost=float(np.mean(cost))))
    return comparisons


def first_name(group: ChainGroup) -> str:
    """The name of generation 0; with its network, where the last generation's is another."""
    return (
        group.column(0)
        if group.has_own_baseline
        else f"{group.column(0)} {group.representatives[0].generation.network}"
    )


def corrected(comparisons: Sequence[Comparison], chosen: Comparison | None) -> list[Comparison]:
    """The chosen comparison first and marked as primary, the others with Holm's p-values.

    Those that speak about new seeds and those that are conditional on their networks or teacher are two families.
    """
    rest = [comparison for comparison in comparisons if comparison is not chosen]
    adjusted: dict[int, float] = {}
    for conditional in (False, True):
        family = [c for c in rest if c.interval.scope.startswith("conditional") == conditional]
        p_values = holm([comparison.interval.p_value for comparison in family]).tolist()
        adjusted |= {id(comparison): p for comparison, p in zip(family, p_values, strict=True)}
    others = [replace(comparison, p_holm=adjusted[id(comparison)]) for comparison in rest]
    return others if chosen is None else [replace(chosen, primary=True), *others]


def _reference(comparisons: Sequence[Comparison], group: ChainGroup) -> Comparison | None:
    """The last generation against its own network on labels: a control where generation 0 is another network."""
    of_last = [c for c in comparisons if c.group is group and c.generation == group.last]
    by_kind = {comparison.kind: comparison for comparison in of_last}
    return by_kind.get("baseline") or by_kind.get("generation")
