"""The comparisons of a study: one primary, the others corrected for their number."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.data.chain_groups import ChainGroup, primary
from analysis.data.frames import device_seconds
from analysis.data.study import Study
from analysis.statistics.comparison import Comparison, compare
from analysis.statistics.controls import control_groups, control_name, paired_chains, stands_for_baseline
from analysis.statistics.holm import holm
from analysis.statistics.independence import independent_chains
from analysis.statistics.pooled import pooled
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
            that stand in the same place of its table.
    """
    untaught = [group for group in (groups if controls is None else controls) if not group.born_again]
    found = []
    for group in groups:
        outcomes = ScoredPredictions(study, group.metric)
        found += against_first(group, outcomes)
        found += against_controls(group, untaught, outcomes)
    chosen = primary(groups)
    if chosen is None:
        return corrected(found, None)
    first = _reference(found, chosen)
    alike = [_reference(found, group) for group in groups if group.same_design(chosen)] if one_design else []
    together = pooled([one for one in alike if one is not None]) if first else None
    if together is not None:
        return corrected([together, *found], together)
    return corrected(found, first)


def against_first(group: ChainGroup, outcomes: ScoredPredictions) -> list[Comparison]:
    """Generations 1 to the last one against generation 0 of their chains."""
    found = []
    for number in range(1, group.last + 1):
        usable = independent_chains(outcomes.readable(group.with_baseline_and(number), 0, number), number)
        if usable:
            pair = outcomes.for_generation(usable, 0), outcomes.for_generation(usable, number)
            found.append(compare(group, "generation", group.column(number), first_name(group), number, usable, pair))
    return found


def against_controls(group: ChainGroup, groups: Sequence[ChainGroup], outcomes: ScoredPredictions) -> list[Comparison]:
    """The last generation against every control there is; chains of equal seeds are paired."""
    found: list[Comparison] = []
    if not group.born_again or not group.last:
        return found
    for control in control_groups(group, groups):
        place = max(control.representatives)
        mine = independent_chains(outcomes.readable(group.chains, group.last), group.last)
        pairs = paired_chains(mine, outcomes.readable(control.chains, place))
        if not pairs:
            continue
        chains = [chain for chain, _ in pairs]
        pair = (
            outcomes.for_generation([other for _, other in pairs], place),
            outcomes.for_generation(chains, group.last),
        )
        kind = "baseline" if stands_for_baseline(group, control) else "control"
        one = compare(group, kind, group.column(group.last), control_name(group, control), group.last, chains, pair)
        cost = [device_seconds(member) for _, other in pairs if (member := other.member(place))]
        found.append(replace(one, control_cost=float(np.mean(cost))))
    return found


def first_name(group: ChainGroup) -> str:
    """What generation 0 is called; with its network, where the last generation's is another."""
    first, final = group.representatives[0].generation.network, group.last_member.generation.network
    return group.column(0) if first == final else f"{group.column(0)} {first}"


def corrected(found: Sequence[Comparison], chosen: Comparison | None) -> list[Comparison]:
    """The chosen comparison first and marked as primary, the others with Holm's p-values.

    Those that speak about new seeds and those that are conditional on their networks or teacher are two families.
    """
    rest = [one for one in found if one is not chosen]
    adjusted: dict[int, float] = {}
    for conditional in (False, True):
        family = [one for one in rest if one.interval.scope.startswith("conditional") == conditional]
        p_values = holm([one.interval.p_value for one in family]).tolist()
        adjusted |= {id(one): p for one, p in zip(family, p_values, strict=True)}
    others = [replace(one, p_holm=adjusted[id(one)]) for one in rest]
    return others if chosen is None else [replace(chosen, primary=True), *others]


def _reference(found: Sequence[Comparison], group: ChainGroup) -> Comparison | None:
    """The last generation against its own network on labels, which is generation 0 or stands for it."""
    mine = [one for one in found if one.group is group and one.generation == group.last]
    by_kind = {one.kind: one for one in mine if one.kind != "control"}
    return by_kind.get("baseline") or by_kind.get("generation")
