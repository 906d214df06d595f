"""The answer in words: the primary comparison first, then those that it has to be seen beside."""

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
    """The answer.

    Attributes:
        headline: one sentence.
        sentences: the other comparisons that matter.
        remarks: how far all this can be trusted.
    """

    headline: str
    sentences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def summarise_findings(measured: Measurements) -> Findings:
    """At least one comparison in words."""
    first = measured.primary or measured.comparisons[0]
    several = len({comparison.group.name for comparison in measured.comparisons}) > 1
    rest = [other for other in measured.comparisons if other is not first and _matters(other, first)]
    pooled = first.kind == "pooled"
    sentences = [_stated(other, several and (pooled or other.group is not first.group)) for other in rest]
    sentences += _ensembles(measured) + _teacher_share(measured)
    cut = [f"{len(sentences) - MOST_SENTENCES} more are in the tables."] if len(sentences) > MOST_SENTENCES else []
    return Findings(
        headline=_stated(first, several and not pooled, _among(first)),
        sentences=(*sentences[:MOST_SENTENCES], *cut),
        remarks=tuple(_remarks(measured, first)),
    )


def nothing_to_compare(study: Study, groups: Sequence[ChainGroup], search: Search | None) -> Findings:
    """The answer where no chain has a baseline and a generation after it."""
    if search is not None and not search.chains:
        return Findings("This search has recorded no chain yet.")
    if not groups and search is not None:
        return Findings("No generation of this search has been published yet.")
    if not groups:
        return Findings("The population is empty.")
    sentences = []
    for group in groups[:MOST_SENTENCES]:
        errors = [error for member in group.members if (error := group.metric.value_of(member)) is not None]
        which = f"{len(errors)} members, mean" if len(errors) > 1 else "one member,"
        mean = number(sum(errors) / len(errors))
        sentences.append(
            f"{group.name}: {which} test {group.metric.name} {mean}{' %' if group.metric.unit == '%' else ''}."
        )
    return Findings(
        "There is nothing to compare yet: no chain has a baseline and a generation that was taught after it.",
        tuple(sentences),
    )


def _matters(comparison: Comparison, first: Comparison) -> bool:
    """The primary group's generations and controls, and the last generations of the others."""
    return comparison.group is first.group or (
        comparison.kind == "generation" and comparison.generation == comparison.group.last
    )


def _among(comparison: Comparison) -> str:
    """The number of chains that a comparison is about, where it is not all."""
    if comparison.kind == "pooled":
        return ""
    chains = len(comparison.group.chains)
    left_out = comparison.group.left_out
    return f", among the {chains - left_out} of {chains} chains that got so far" if left_out else ""


def _stated(comparison: Comparison, with_group: bool, among: str = "") -> str:
    prefix = f"{comparison.group.name}: " if with_group else ""
    p_holm = None if comparison.primary else comparison.p_holm
    test = _p(comparison.interval.p_value) if p_holm is None else f"Holm's {_p(p_holm)}"
    corrected = p_holm is not None and p_holm >= LEVEL and comparison.interval.distinguishable
    doubt = ", not distinguishable once corrected" if corrected else ""
    return f"{prefix}{comparison}{among} ({test}{doubt})."


def _ensembles(measured: Measurements) -> list[str]:
    sentences = []
    for result in [result for result in measured.of_chosen() if result.of_papers]:
        for control, what in ((result.same_size, "as many"), (result.same_cost, "equal training cost")):
            if control and (what == "as many" or result.same_size is None or control.size != result.same_size.size):
                against = f"{control.size} independent label-only networks ({what})"
                interval = control.interval
                stated = sentence(interval, result.name, against, result.group.metric.points)
                sentences.append(f"{stated} ({_p(interval.p_value)}, not corrected for the number of comparisons).")
    return sentences


def _teacher_share(measured: Measurements) -> list[str]:
    share = measured.share
    if share is None:
        return []
    return [
        f"The best share of the teacher in the targets, estimated from {share.chains} "
        f"chain{'s' if share.chains > 1 else ''}: xi = {number(share.estimate)} [{number(share.low)}, "
        f"{number(share.high)}] (95 %, not corrected). Expected held-out loss: {share.loss:.3f} nats, by labels alone "
        f"{share.loss_of_labels:.3f}, by the teacher alone {share.loss_of_teacher:.3f}. "
        f"`--objective mix:xi={share.estimate:.2g}` trains with it."
    ]


def _p(value: float) -> str:
    return f"p = {probability(value)}".replace("= <", "<")


def _remarks(measured: Measurements, first: Comparison) -> list[str]:
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
    controls = [control for result in measured.of_chosen() for control in result.controls]
    intervals = [interval, *(c.interval for c in measured.comparisons), *(c.interval for c in controls)]
    remarks += dict.fromkeys(text for each in intervals if (text := reliability(each)))
    if metric.caveat:
        remarks.append(metric.caveat)
    for group in {id(comparison.group): comparison.group for comparison in measured.comparisons}.values():
        if group.left_out and group.last:
            lacking = f"{group.column(group.last)} or what it is compared with"
            remarks.append(
                f"{group.name}: {group.left_out} of {len(group.chains)} chains left out, without {lacking}. If chains "
                "were ended because of their held-out results, those that remain were chosen by them: the difference "
                "is biased."
            )
    remarks += [
        f"{group.name}: no generation after the first yet." for group in measured.measured if not group.has_students
    ]
    beyond = [group.name for group in measured.measured if max(group.representatives) > group.last > 0]
    remarks += [
        f"{name}: later generations, which less than half of the chains have, are not compared." for name in beyond
    ]
    return remarks
