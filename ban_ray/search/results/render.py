"""Prints the result of a search, which `analysis` computes, in a terminal or as JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.cli.console import Console
from ban_ray.cli.text import format_count, pluralised
from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.config.strategy import ERROR_TARGET
from ban_ray.search.plan.plan import group_by_row, num_row_parameters
from ban_ray.search.schedule.outcome import ChainResult
from ban_ray.search.study.best import BestConfigurations
from ban_ray.search.study.records import chain_record
from ban_ray.specs.space import STUDENT

if TYPE_CHECKING:
    from analysis.data.study import Study
    from analysis.statistics.comparison import Comparison
    from analysis.tables.rows import Cell, Part, TableRow
    from analysis.verdict.verdict import Verdict

PARTS: "Sequence[tuple[Part, str]]" = (("test", "Test"), ("held_out", "Held-out"))
MAX_TABLE_WIDTH = 160
"""Characters of a table's longest line, however wide the console is."""
MAX_LISTED = 5
"""Number of chains that are named if they ended early; the others are counted."""


@dataclass(frozen=True)
class SummaryRow:
    """A row of both tables.

    Attributes:
        cells: by part and column; without columns if no chain of the row has a result.
        failures: why chains of the row failed.
    """

    name: str
    num_parameters: int
    cells: "Mapping[Part, Mapping[str, Cell]]"
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """The result of a search.

    Attributes:
        population_data: the members of the storage, for the report; not the Optuna study.
        columns: e.g. baseline, BAN-1 .. BAN-k, Ens*2, Ens*3.
        conclusion: a sentence that says whether there is a gain beyond noise.
        verdict: of a search that has controls which tune or average.
    """

    population_data: "Study"
    spec: SearchSpec
    columns: Sequence[str]
    rows: Sequence[SummaryRow]
    conclusion: str
    verdict: "Verdict | None" = None

    @property
    def objective(self) -> str:
        is_searched = any(name.startswith("objective.") for name in self.spec.overrides.searched)
        has_own = "objective" in self.spec.space.chooses or is_searched
        return "their own objectives" if has_own else str(self.spec.context.objective)


def summarise(
    spec: SearchSpec, population: Population, failures: Sequence[tuple[PlannedChain, str]], name: str | None = None
) -> Summary:
    """Summarise the chains that have all their generations or, if chains are stopped, all chains.

    Args:
        name: of the search, which its verdict is about; without one there is no verdict.

    Raises:
        DamagedMember: a member of these chains cannot be read.
    """
    # Imported here, since pandas is slow to import and a plan does not need it.
    from analysis.data.study import Study
    from analysis.report.search_summary import summarise_search
    from analysis.verdict.verdict import verdict_of_search

    published = Study(population.storage)
    complete = [p for p in spec.chains if spec.strategy.stopping or published.records.keys() >= set(p.chain.keys)]
    planned_of = {planned.chain.keys: planned for planned in complete}
    summary = summarise_search(
        published,
        [chain_record(planned) for planned in complete],
        seeds=spec.seeds,
        # If members of the population taught generation 0, there is no baseline to compare with.
        reference=lambda columns: STUDENT if STUDENT in columns else spec.space.against,
        last=f"BAN-{spec.num_born_again_generations}" if spec.strategy.stopping else "",
        with_ensembles=lambda record: planned_of[record.keys].position.ensembles,
    )
    verdict = None if name is None else verdict_of_search(published, name)
    for key in (key for planned in spec.chains for key in planned.chain.keys if key in published.damaged):
        raise DamagedMember(published.damaged[key])
    rows = []
    for name, chains in group_by_row(spec.chains).items():
        reasons = tuple(f"{planned.title}: {reason}" for planned, reason in failures if planned.position.row == name)
        same_name = [rows for rows in zip(*summary.rows.values(), strict=True) if rows[0].name == name]
        for test, held_out in same_name:
            parameters = _recorded_network_parameters(spec, chains, test)
            rows.append(SummaryRow(name, parameters, {"test": test.cells, "held_out": held_out.cells}, reasons))
        if not same_name:
            rows.append(SummaryRow(name, num_row_parameters(spec, chains), {"test": {}, "held_out": {}}, reasons))
    return Summary(published, spec, summary.columns, rows, _conclusion(spec, summary.comparisons), verdict)


def _recorded_network_parameters(spec: SearchSpec, chains: Sequence[PlannedChain], row: "TableRow") -> int:
    """Number of parameters of the row's members with the row's network, else of that network."""
    network = chains[0].position.network or row.name
    members = [member for group in row.groups for member in group.representatives.values()]
    recorded = (member.parameters for member in members if member.generation.network == network)
    return next(recorded, None) or num_row_parameters(spec, chains)


def _conclusion(spec: SearchSpec, comparisons: "Sequence[Comparison]") -> str:
    from analysis.statistics import reliability, sentence

    if not spec.num_born_again_generations:
        return "No born-again generation was asked for, so there is no gain to speak of."
    if not comparisons:
        return "No row has all its seeds, so nothing is said about the gain."
    objectives = [str(c.group.representatives[c.generation].generation.objective) for c in comparisons]
    not_stopped = " that were not stopped" if spec.strategy.stopping else ""
    sentences = []
    for comparison, objective in zip(comparisons, objectives, strict=True):
        by = f" by {objective}" if len(set(objectives)) > 1 else ""
        averaged = f", averaged over {comparison.averaged_over}{not_stopped}," if comparison.averaged_over else ""
        name = f"{comparison.name}{by}{averaged}"
        sentences.append(f"{sentence(comparison.interval, name, comparison.against, spec.metric.points)}.")
    warnings = dict.fromkeys(reliability(comparison.interval) for comparison in comparisons)
    return " ".join(filter(None, [*sentences, *warnings, spec.metric.caveat]))


def print_summary(summary: Summary, console: Console) -> None:
    """Print both tables in the form of the workshop paper's Table 1, failures, the setting and the verdict, or, if
    there is none, the conclusion."""
    from analysis.verdict.words import lines_of

    for part, title in PARTS:
        seeds = max((len(cell.by_seed) for row in summary.rows for cell in row.cells[part].values()), default=0)
        if not seeds:
            continue
        spread = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
        console.say(f"{title} {summary.spec.metric.heading}{spread}; students by {summary.objective}")
        console.table(*_table(summary, part, min(console.width, MAX_TABLE_WIDTH)))
    if any(cell.filled for row in summary.rows for cell in row.cells["test"].values()):
        console.say("* with the baseline as a member, since that generation was not trained")
    for row in summary.rows:
        for failure in row.failures:
            console.say(f"FAILED {failure}")
    console.say(summary.spec.data_and_protocol)
    for line in lines_of(summary.verdict) if summary.verdict else [summary.conclusion]:
        console.say(line, "bold")


def print_best(best: BestConfigurations, console: Console, *, even_if_in_table: bool) -> None:
    """Print the best configurations.

    If the only target is the error of the last generation, which the table shows, print only `even_if_in_table`.
    """
    targets = best.spec.strategy.target_names
    plain = targets == (ERROR_TARGET,) and best.spec.strategy.select_by == "last"
    if not best.num_complete or (plain and not even_if_in_table):
        return
    finished = pluralised(best.num_complete, "finished configuration")
    if not best.front:
        console.say(f"None of {finished} is the best: all of them make the same chain")
        return
    chains = f", which make {pluralised(best.num_different_chains, 'different chain')}" * (
        best.num_different_chains < best.num_complete
    )
    pruned = f", {best.num_pruned} pruned before" if best.num_pruned else ""
    what = f"Pareto front of {' and '.join(targets)}" if len(targets) > 1 else "Best"
    console.say(
        f"{what} of {finished}{chains}{pruned}; error is the {best.spec.error_description}; "
        "the best of several configurations is an optimistic estimate",
    )
    console.table(
        ("configuration", *targets),
        [(row, f"{values[0]:.2f}", *(format_count(int(v)) for v in values[1:])) for row, _, values in best.front],
    )


def print_ended_early(ended: Sequence[ChainResult], skip_reasons: Sequence[str], console: Console) -> None:
    """Print the chains that ended before their last generation, and what was left out."""
    for planned, outcome in ended[:MAX_LISTED]:
        console.say(f"{outcome.status} {planned.title}: {outcome.message}")
    if len(ended) > MAX_LISTED:
        console.say(f"and {len(ended) - MAX_LISTED} more chains ended early")
    for sentence in skip_reasons:
        console.say(f"left out: {sentence}")


def summary_as_json(summary: Summary) -> dict[str, object]:
    """The summary as JSON values; values of the task's metric (for images the error in percent) by seed.

    ``verdict`` is there if the search has one; `analysis.verdict.words.as_json` describes it.
    """
    from analysis.verdict.words import as_json

    return {
        **({"verdict": as_json(summary.verdict)} if summary.verdict else {}),
        "regime": summary.spec.data_and_protocol,
        "objective": summary.objective,
        "sentence": summary.conclusion,
        "rows": [
            {
                "network": row.name,
                "parameters": row.num_parameters,
                "failures": list(row.failures),
                **{
                    f"{part}_{summary.spec.metric.key}": {
                        column: {"errors": dict(cell.by_seed), "with_baseline": cell.filled}
                        for column, cell in row.cells[part].items()
                    }
                    for part, _ in PARTS
                },
            }
            for row in summary.rows
        ],
    }


def best_as_json(
    best: BestConfigurations | None, ended: Sequence[ChainResult], skip_reasons: Sequence[str]
) -> dict[str, object]:
    """``targets``, ``front``, ``ended_early`` and ``left_out``; errors in percent."""
    targets = best.spec.strategy.target_names if best else ()
    return {
        "targets": {"names": targets, "error_is": best.spec.error_description} if best else None,
        "front": [
            {"row": row, "configuration": dict(configuration), **dict(zip(targets, values, strict=True))}
            for row, configuration, values in (best.front if best else ())
        ],
        "configurations_finished": best.num_complete if best else 0,
        "configurations_stopped": best.num_pruned if best else 0,
        "different_chains_finished": best.num_different_chains if best else 0,
        "ended_early": [
            {
                "chain": planned.title,
                "kind": "stopped" if outcome.status == "pruned" else outcome.status,
                "why": outcome.message,
            }
            for planned, outcome in ended
        ],
        "left_out": list(skip_reasons),
    }


def _table(summary: Summary, part: "Part", width: int) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of the table: a row for each network, or a column if rows would be wider than `width` and than
    columns would be."""
    lines = [["network", "parameters", *summary.columns]]
    for row in summary.rows:
        cells = [_text(row.cells[part].get(column)) for column in summary.columns]
        lines.append([row.name, format_count(row.num_parameters), *cells])
    turned = [list(line) for line in zip(*lines, strict=True)]
    if _width(lines) > max(width, _width(turned)):
        lines = turned
    return lines[0], lines[1:]


def _width(lines: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 3 for column in zip(*lines, strict=True))


def _text(cell: "Cell | None") -> str:
    if cell is None or not cell.by_seed:
        return "/"
    errors = list(cell.by_seed.values())
    spread = f" ±{statistics.stdev(errors):.2f}" if len(errors) > 1 else ""
    return f"{statistics.fmean(errors):.2f}{spread}{'*' if cell.filled else ''}"
