"""What a search found: every figure computed from stored predictions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.evaluation import ensembles
from ban_ray.evaluation.metrics import Metric
from ban_ray.population import Population, Predictions
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan.plan import group_by_row, row_parameters
from ban_ray.search.study.targets import load_chain
from ban_ray.specs.space import STUDENT

SIZES = (2, 3)
_BORN_AGAIN = re.compile(r"BAN-\d+")


@dataclass(frozen=True)
class Cell:
    """The task's metric by seed; `filled` where the baseline stands in for a missing generation."""

    errors: dict[int, float]
    filled: bool = False


@dataclass(frozen=True)
class Row:
    """Cells by column, for test and held-out data, and why chains of the row failed."""

    name: str
    parameters: int
    test: dict[str, Cell]
    held_out: dict[str, Cell]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What a search found.

    Attributes:
        columns: e.g. baseline, BAN-1 .. BAN-k, Ens*2, Ens*3.
        sentence: whether there is a gain beyond noise.
    """

    metric: Metric
    regime: str
    objective: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sentence: str


@dataclass(frozen=True)
class _Entry:
    """What a cell is computed from: the predictions of one generation, or of an ensemble's members, by their keys."""

    members: tuple[Predictions, ...]
    keys: tuple[str, ...]
    filled: bool = False

    def losses(self, metric: Metric, part: str) -> NDArray[np.float64]:
        """(n,), of the members' averaged probabilities."""
        together = ensembles.combine([getattr(member, part) for member in self.members])
        return metric.losses(together, self.labels(part)).astype(np.float64)

    def labels(self, part: str) -> NDArray[np.int64]:
        return np.asarray(getattr(self.members[0], f"{part}_labels"))


_Table = dict[str, dict[str, dict[int, _Entry]]]


def summarise(spec: SearchSpec, population: Population, failures: Sequence[tuple[PlannedChain, str]]) -> Summary:
    """Read the predictions of every finished chain and compute the table."""
    reasons: dict[str, list[str]] = {}
    for planned, sentence in failures:
        reasons.setdefault(planned.position.row, []).append(f"{planned.title}: {sentence}")
    table = _read(spec, population)
    columns = list(dict.fromkeys(column for cells in table.values() for column in cells))
    columns.sort(key=lambda column: column.startswith("Ens*"))
    rows = []
    for name, group in group_by_row(spec.chains).items():
        cells = table.get(name, {})
        rows.append(
            Row(
                name=name,
                parameters=_parameters(spec, population, group),
                test=_cells(cells, spec.metric, "test"),
                held_out=_cells(cells, spec.metric, "held_out"),
                failures=tuple(reasons.get(name, ())),
            )
        )
    objective = "their own objectives" if "objective" in spec.space.chooses else str(spec.context.objective)
    return Summary(
        spec.metric, spec.setting_description, objective, tuple(columns), tuple(rows), _sentence(spec, table)
    )


def _read(spec: SearchSpec, population: Population) -> _Table:
    """Entries by row, column and seed; a chain that misses a generation has none, or, where chains are stopped, those
    before it."""
    table: _Table = {}
    for planned in spec.chains:
        found = load_chain(population, planned)
        if not found.is_complete and not spec.strategy.stopping:
            continue
        chain = [population.predictions(member) for member in found.members]
        keys = planned.chain.keys
        cells = table.setdefault(planned.position.row, {})
        for column, predictions, key in zip(planned.position.columns, chain, keys, strict=False):
            cells.setdefault(column, {})[planned.seed] = _Entry((predictions,), (key,))
        for k in SIZES if planned.position.ensembles else ():
            if ensemble := ensembles.paper_ensemble(k, len(chain) - 1):
                chosen = tuple(chain[number] for number in ensemble.generations)
                chosen_keys = tuple(keys[number] for number in ensemble.generations)
                cells.setdefault(f"Ens*{k}", {})[planned.seed] = _Entry(chosen, chosen_keys, ensemble.filled)
    return table


def _parameters(spec: SearchSpec, population: Population, row: Sequence[PlannedChain]) -> int:
    """Those of the members whose errors stand in a row; without members, of the network that was to be trained."""
    network = row[0].position.network or row[0].position.row
    for planned in row:
        for member in load_chain(population, planned).members:
            if member.generation.network == network:
                return member.parameters
    return row_parameters(spec, row)


def _cells(cells: dict[str, dict[int, _Entry]], metric: Metric, part: str) -> dict[str, Cell]:
    return {
        column: Cell(
            {
                seed: metric.mean(entry.losses(metric, part))
                for seed, entry in entries.items()
                if len(entry.labels(part))
            },
            any(entry.filled for entry in entries.values()),
        )
        for column, entries in cells.items()
    }


def _sentence(spec: SearchSpec, table: _Table) -> str:
    """The primary comparison: each row's last generation against the space's reference, on test data; rows of one
    objective are averaged, those of equal chains as one."""
    reference, metric = spec.space.against, spec.metric
    differences: dict[tuple[str, str], dict[tuple[tuple[str, ...], ...], NDArray[np.float64]]] = {}
    stopping = spec.strategy.stopping
    objectives = _objectives(spec.chains)
    for row, cells in table.items():
        # Where members of the population taught generation 0, there is no baseline to compare with.
        reference = STUDENT if STUDENT in cells else spec.space.against
        students = [column for column in cells if column != reference and not column.startswith("Ens*")]
        if reference not in cells or not students:
            continue
        # A space with several kinds of students a row compares its first kind; the others stand in the table.
        sequence = [column for column in students if _BORN_AGAIN.fullmatch(column)]
        last = sequence[-1] if sequence else students[0]
        if stopping and sequence and last != f"BAN-{spec.generations}":
            continue
        if set(cells[reference]) == set(cells[last]) == set(spec.seeds):
            pairs = [(cells[last][seed], cells[reference][seed]) for seed in spec.seeds]
            keys = tuple(new.keys + old.keys for new, old in pairs)
            differences.setdefault((last, objectives[row, last]), {})[keys] = np.stack(
                [new.losses(metric, "test") - old.losses(metric, "test") for new, old in pairs]
            )
    if not spec.generations:
        return "No born-again generation was asked for, so there is no gain to speak of."
    if not differences:
        return "No row has all its seeds, so nothing is said about the gain."
    from analysis.statistics import difference_interval, reliability, sentence

    which = " that were not stopped" if stopping else ""
    several = len({objective for _, objective in differences}) > 1
    found, warnings = [], []
    for (last, objective), rows in differences.items():
        # A chain's own baseline is its root here, so every seed is a root of its own.
        interval = difference_interval(np.mean(list(rows.values()), axis=0), scale=metric.scale)
        averaged = f", averaged over {len(rows)} networks{which}," if len(rows) > 1 else ""
        by = f" by {objective}" if several else ""
        found.append(f"{sentence(interval, f'{last}{by}{averaged}', reference, metric.points)}.")
        warnings.append(reliability(interval))
    return " ".join(filter(None, [*found, *dict.fromkeys(warnings), metric.caveat]))


def _objectives(chains: Sequence[PlannedChain]) -> dict[tuple[str, str], str]:
    """What trained each column of a row."""
    return {
        (planned.position.row, column): str(generation.objective)
        for planned in chains
        for column, generation in zip(planned.position.columns, planned.chain.generations, strict=False)
    }
