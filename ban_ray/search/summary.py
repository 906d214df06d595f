"""The table of generation gains in workshop Table 1's form, and one sentence about the gain."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ban_ray import ensembles
from ban_ray.population import Population, Predictions
from ban_ray.search.plan import by_network, parameters
from ban_ray.search.progress import generation_name
from ban_ray.search.request import Planned, Request
from ban_ray.search.tables import new_table

SIZES = (2, 3)


@dataclass(frozen=True)
class Cell:
    """Errors in percent, one a seed; `filled` where the baseline stands in for a missing generation."""

    errors: tuple[float, ...]
    filled: bool = False

    def __str__(self) -> str:
        if not self.errors:
            return "/"
        spread = f" ±{statistics.stdev(self.errors):.2f}" if len(self.errors) > 1 else ""
        return f"{statistics.fmean(self.errors):.2f}{spread}{'*' if self.filled else ''}"


@dataclass(frozen=True)
class Row:
    """One network: cells by column, for test and held-out data."""

    network: str
    parameters: int
    test: dict[str, Cell]
    held_out: dict[str, Cell]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What a search found.

    Attributes:
        columns: baseline, BAN-1 .. BAN-k, Ens*2, Ens*3.
        sentence: whether there is a gain beyond noise.
    """

    regime: str
    objective: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sentence: str

    @property
    def failed(self) -> bool:
        return any(row.failures for row in self.rows)


def summarise(request: Request, population: Population, failures: Sequence[tuple[Planned, str]]) -> Summary:
    """Compute every figure from stored predictions."""
    names = [generation_name(number) for number in range(request.generations + 1)]
    columns = (*names, *(f"Ens*{k}" for k in SIZES if request.generations >= k - 1))
    reasons: dict[str, list[str]] = {}
    for planned, sentence in failures:
        reasons.setdefault(planned.chain.network, []).append(f"seed {planned.seed}: {sentence}")
    rows, differences = [], []
    for network, group in by_network(request.chains).items():
        whole = [_predictions(population, planned) for planned in group]
        finished = [predictions for predictions in whole if predictions]
        rows.append(
            Row(
                network=network,
                parameters=parameters(request, network),
                test=_cells(finished, columns, "test"),
                held_out=_cells(finished, columns, "held_out"),
                failures=tuple(reasons.get(network, ())),
            )
        )
        if len(finished) == len(group):
            differences.append(_differences(finished))
    return Summary(
        request.regime, str(request.setting.objective), columns, tuple(rows), _sentence(request, differences)
    )


def _predictions(population: Population, planned: Planned) -> list[Predictions]:
    """Of every generation; none at all where one is missing."""
    members = [population.get(key) for key in planned.chain.keys]
    found = [population.predictions(member) for member in members if member is not None]
    return found if len(found) == len(members) else []


def _cells(chains: Sequence[list[Predictions]], columns: Sequence[str], part: str) -> dict[str, Cell]:
    return {column: _cell(chains, column, part) for column in columns}


def _cell(chains: Sequence[list[Predictions]], column: str, part: str) -> Cell:
    errors, filled = [], False
    for chain in chains:
        chosen: tuple[int, ...] = ()
        if column.startswith("Ens*"):
            ensemble = ensembles.ens(int(column[4:]), len(chain) - 1)
            if ensemble is not None:
                chosen, filled = ensemble.generations, filled or ensemble.filled
        else:
            number = 0 if column == "baseline" else int(column[4:])
            chosen = (number,) if number < len(chain) else ()
        labels = getattr(chain[0], f"{part}_labels")
        if chosen and len(labels):
            averaged = ensembles.average([getattr(chain[number], part) for number in chosen])
            errors.append(ensembles.error_percent(averaged, labels))
    return Cell(tuple(errors), filled and bool(errors))


def _differences(chains: Sequence[list[Predictions]]) -> NDArray[np.float64]:
    """(seeds, images): last generation's error minus the baseline's on each test image, in -1, 0, 1."""
    return np.stack(
        [
            (chain[-1].test.argmax(1) != chain[-1].test_labels).astype(np.float64)
            - (chain[0].test.argmax(1) != chain[0].test_labels)
            for chain in chains
        ]
    )


def _sentence(request: Request, differences: Sequence[NDArray[np.float64]]) -> str:
    if not request.generations:
        return "No born-again generation was asked for, so there is no gain to speak of."
    if not differences:
        return "No network has all its seeds, so nothing is said about the gain."
    from analysis.gains import difference_interval, reliability, sentence

    number = len(differences)
    counts = {len(planned.chain.generations) - 1 for planned in request.chains}
    name = generation_name(counts.pop()) if len(counts) == 1 else "the last generation"
    if number > 1:
        name += f", averaged over {number} networks,"
    interval = difference_interval(np.mean(differences, axis=0))
    # A chain's own baseline is its root here, so every seed is a root of its own.
    return " ".join(filter(None, [f"{sentence(interval, name)}.", reliability(interval)]))


def show(summary: Summary, console: Console) -> None:
    """Print both tables and the sentence."""
    marked = False
    for part, title in (("test", "Test error, %"), ("held_out", "Held-out error, %")):
        if not any(cell.errors for row in summary.rows for cell in getattr(row, part).values()):
            continue
        seeds = max(len(cell.errors) for row in summary.rows for cell in getattr(row, part).values())
        spread = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
        console.print(f"{title}{spread}; born-again generations by {summary.objective}", highlight=False, markup=False)
        table = new_table("network", "parameters", *summary.columns)
        for row in summary.rows:
            cells = getattr(row, part)
            marked = marked or any(cell.filled for cell in cells.values())
            table.add_row(row.network, f"{row.parameters / 1e6:.3f} M", *(str(cells[c]) for c in summary.columns))
        console.print(table)
    if marked:
        console.print("* with the baseline as a member, since that generation was not trained", highlight=False)
    for row in summary.rows:
        for failure in row.failures:
            console.print(f"FAILED {row.network} {failure}", highlight=False, markup=False, soft_wrap=True)
    console.print(summary.regime, highlight=False, markup=False, soft_wrap=True)
    console.print(summary.sentence, highlight=False, markup=False, soft_wrap=True, style="bold")


def as_json(summary: Summary) -> dict[str, object]:
    """The summary as JSON values; errors in percent, one a seed."""
    return {
        "regime": summary.regime,
        "objective": summary.objective,
        "sentence": summary.sentence,
        "rows": [
            {
                "network": row.network,
                "parameters": row.parameters,
                "failures": list(row.failures),
                **{
                    f"{part}_error": {
                        column: {"errors": list(cell.errors), "with_baseline": cell.filled}
                        for column, cell in getattr(row, part).items()
                    }
                    for part in ("test", "held_out")
                },
            }
            for row in summary.rows
        ],
    }
