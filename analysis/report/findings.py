"""The answer in words: the primary comparison first, then what it has to be seen beside."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.data.chain_groups import ChainGroup
from analysis.data.searches import Search
from analysis.data.study import Study
from analysis.report.measurements import Measurements
from analysis.statistics.comparison import Comparison
from analysis.statistics.wording import reliability, sentence
from analysis.tables.cell_text import number, probability

MOST_SENTENCES = 10
LEVEL = 0.05


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        headline: one sentence.
        sentences: the other comparisons that matter.
        remarks: how far all this can be trusted.
    """

    headline: str
    sentences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def summarise_findings(found: Measurements) -> Findings:
    """The comparisons in words; there is at least one."""
    first = found.primary or found.comparisons[0]
    several = len({one.group.name for one in found.comparisons}) > 1
    rest = [one for one in found.comparisons if one is not first and _matters(one, first)]
    told = [_told(one, several and (one.group is not first.group or first.kind == "pooled")) for one in rest]
    told += _ensembles(found)
    cut = [f"{len(told) - MOST_SENTENCES} more are in the tables."] if len(told) > MOST_SENTENCES else []
    return Findings(
        headline=_told(first, several and first.kind != "pooled", _among(first)),
        sentences=(*told[:MOST_SENTENCES], *cut),
        remarks=tuple(_remarks(found, first)),
    )


def nothing_to_compare(study: Study, groups: Sequence[ChainGroup], search: Search | None) -> Findings:
    """What can be said where no chain has a baseline and a generation after it."""
    if search is not None and not search.chains:
        return Findings("This search has recorded no chain yet.")
    if not groups and search is not None:
        return Findings("No generation of this search has been published yet.")
    if not groups:
        return Findings("The population is empty.")
    sentences = []
    for group in groups[:MOST_SENTENCES]:
        found = [
            group.metric.value_of(member) for chain in group.chains for member in chain.members if member is not None
        ]
        errors = [error for error in found if error is not None]
        which = f"{len(errors)} members, mean" if len(errors) > 1 else "one member,"
        mean = number(sum(errors) / len(errors))
        sentences.append(
            f"{group.name}: {which} test {group.metric.name} {mean}{' %' if group.metric.unit == '%' else ''}."
        )
    return Findings(
        "There is nothing to compare yet: no chain has a baseline and a generation that was taught after it.",
        tuple(sentences),
    )


def _matters(one: Comparison, first: Comparison) -> bool:
    """The primary group's generations and controls, and the last generations of the others."""
    return one.group is first.group or (one.kind == "generation" and one.generation == one.group.last)


def _among(one: Comparison) -> str:
    """Of which chains a comparison speaks, where it is not all."""
    if one.kind == "pooled":
        return ""
    chains = len(one.group.chains)
    left_out = one.group.left_out
    return f", among the {chains - left_out} of {chains} chains that got so far" if left_out else ""


def _told(one: Comparison, with_group: bool, among: str = "") -> str:
    prefix = f"{one.group.name}: " if with_group else ""
    test = _p(one.interval.p_value) if one.primary or one.p_holm is None else f"Holm's {_p(one.p_holm)}"
    corrected = one.p_holm is not None and one.p_holm >= LEVEL and one.interval.distinguishable
    doubt = ", not distinguishable once corrected" if corrected else ""
    return f"{prefix}{one}{among} ({test}{doubt})."


def _ensembles(found: Measurements) -> list[str]:
    told = []
    for one in found.of_chosen():
        if not one.name.startswith("Ens*"):
            continue
        for control, what in ((one.same_size, "as many"), (one.same_cost, "equal training cost")):
            if control and (what == "as many" or one.same_size is None or control.size != one.same_size.size):
                against = f"{control.size} independent label-only networks ({what})"
                interval = control.interval
                said = sentence(interval, one.name, against, one.group.metric.points)
                told.append(f"{said} ({_p(interval.p_value)}, not corrected for the number of comparisons).")
    return told


def _p(value: float) -> str:
    return f"p = {probability(value)}".replace("= <", "<")


def _remarks(found: Measurements, first: Comparison) -> list[str]:
    interval, metric = first.interval, first.group.metric
    remarks = [f"Differences are of test {metric.name}, in {metric.points}: below zero is a gain."]
    if interval.smallest_detectable:
        remarks.append(
            f"At this size a true difference of {number(interval.smallest_detectable)} {metric.points} would be found "
            "in 80 % of repetitions."
        )
    if interval.roots < interval.chains:
        remarks.append(
            f"The {interval.chains} chains descend from {interval.roots} root{'s' if interval.roots > 1 else ''}."
        )
    told = [one.interval for one in found.comparisons] + [
        control.interval for one in found.of_chosen() for control in (one.same_size, one.same_cost) if control
    ]
    remarks += dict.fromkeys(text for one in [interval, *told] if (text := reliability(one)))
    if metric.caveat:
        remarks.append(metric.caveat)
    for group in {id(one.group): one.group for one in found.comparisons}.values():
        if group.left_out and group.last:
            lacking = f"{group.column(group.last)} or what it is compared with"
            remarks.append(
                f"{group.name}: {group.left_out} of {len(group.chains)} chains left out, without {lacking}. If chains "
                "were ended because of their held-out results, those that remain were chosen by them: the difference "
                "is biased."
            )
    remarks += [
        f"{group.name}: no generation after the first yet." for group in found.measured if not group.has_students
    ]
    beyond = [group.name for group in found.measured if max(group.representatives) > group.last > 0]
    remarks += [
        f"{name}: later generations, which less than half of the chains have, are not compared." for name in beyond
    ]
    return remarks
