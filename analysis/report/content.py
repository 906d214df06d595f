"""The content of the page, gathered from a study; the template lays it out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.data.chain_groups import ChainGroup, from_search, primary
from analysis.data.chains import recorded
from analysis.data.searches import Search
from analysis.data.setting import noise_warnings, regime
from analysis.data.study import Study
from analysis.plots import Drawing
from analysis.report.findings import Findings, nothing_to_compare, summarise_findings
from analysis.report.measurements import measure_all
from analysis.report.provenance import facts
from analysis.report.sections import figures, tables
from analysis.statistics.comparisons import comparisons
from analysis.tables.table import Table
from analysis.verdict.verdict import verdict_of_search
from analysis.verdict.words import lines_of

MOST_MEMBERS = 4_000
"""Members whose predictions a page reads; groups beyond them are shown by their records."""

MOST_REGIMES = 5


@dataclass(frozen=True)
class Content:
    """Everything on the page, as text, tables and figures.

    Attributes:
        regimes: settings of the groups, that of the primary comparison first.
        warnings: on what belongs beside every figure.
        verdict: at most five sentences, of a search with controls.
        left_out: what the page does not show.
        problems: files that could not be read.
    """

    title: str
    subtitle: str
    regimes: tuple[str, ...]
    warnings: tuple[str, ...]
    answer: Findings
    tables: tuple[Table, ...]
    figures: tuple[Drawing, ...]
    facts: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]
    verdict: tuple[str, ...] = ()


def gather(study: Study, name: str | None = None) -> Content:
    """The content of the page of a search, or of the whole population.

    Raises:
        UserError: there is no such search, or its record cannot be read.
    """
    search = study.search(name) if name is not None else None
    controls = groups = study.groups()
    if search is not None:
        groups = from_search(recorded(study.records, search.chains))
        known = {group.spec for group in groups}
        # Label-only members of other searches serve as controls too.
        controls = [*groups, *(group for group in controls if not group.born_again and group.spec not in known)]
    chosen = primary(groups)
    leading = sorted(groups, key=lambda group: (group is not chosen, chosen is None or group.task != chosen.task))
    detailed, left_out = _within_budget(leading)
    compared = comparisons(study, detailed, controls, one_design=search is not None)
    measured = measure_all(study, detailed, compared)
    tasks = list({group.task.to_json(): group for group in reversed(leading)}.values())[::-1]
    verdict = verdict_of_search(study, name) if name is not None else None
    more = (f"and {len(tasks) - MOST_REGIMES} more settings",) if len(tasks) > MOST_REGIMES else ()
    return Content(
        title=_title(study, search),
        subtitle=search.about.title if search else "",
        regimes=(*(regime(study, group) for group in tasks[:MOST_REGIMES]), *more, *_fields(search)),
        warnings=tuple(noise_warnings(group.task for group in tasks)),
        answer=summarise_findings(measured) if compared else nothing_to_compare(study, groups, search),
        tables=tables(groups if search else leading, measured, search),
        figures=figures(leading, measured),
        facts=facts(study, groups, search),
        left_out=(*left_out, *measured.left_out),
        problems=(*study.damaged.values(), *_unreadable(search)),
        verdict=tuple(lines_of(verdict)) if verdict else (),
    )


def _within_budget(groups: Sequence[ChainGroup]) -> tuple[list[ChainGroup], list[str]]:
    """The first groups, and of the last of them the first chains, that have `MOST_MEMBERS` members together."""
    detailed: list[ChainGroup] = []
    left_out = []
    budget = MOST_MEMBERS
    for group in groups:
        size = max(group.representatives) + 1
        room = budget // size
        if not room:
            break
        if len(group.chains) > room:
            left_out.append(f"{group.name}: intervals rest on the first {room} of {len(group.chains)} chains.")
        detailed.append(replace(group, chains=group.chains[:room]))
        budget -= size * min(room, len(group.chains))
    if len(detailed) < len(groups):
        left_out.append(
            f"Intervals are given for {len(detailed)} of {len(groups)} groups; the others are shown by their recorded "
            "errors."
        )
    return detailed, left_out


def _fields(search: Search | None) -> tuple[str, ...]:
    """What the command line of a search set and searched, if anything."""
    return (search.about.fields,) if search is not None and search.about.fields else ()


def _title(study: Study, search: Search | None) -> str:
    if search is None:
        count = len(study.records)
        return f"Born-again generations: a population of {count:,} member{'' if count == 1 else 's'}"
    return f"Born-again generations: {search.name}"


def _unreadable(search: Search | None) -> list[str]:
    return [f"chains/{name} is not a chain's record" for name in search.unreadable] if search else []
