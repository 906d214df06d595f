"""Ensembles beside independent label-only networks, and the greedy choice."""

from collections.abc import Sequence

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings
from analysis.statistics.control_pool import Control
from analysis.statistics.ensembles import EnsembleResult, frame
from analysis.tables import cell_text
from analysis.tables.table import Column, Table


def ensemble_table(group: ChainGroup, results: Sequence[EnsembleResult]) -> Table:
    """Every subset of a group's chains against as many label-only networks, and against equal training cost."""
    metric = group.metric
    columns: list[Column[EnsembleResult]] = [
        ("Ensemble", lambda result: result.name + (" †" if result.which.filled else "")),
        (f"Test, {metric.unit}", lambda result: cell_text.with_spread(result.error, result.spread)),
        (f"Held-out, {metric.unit}", lambda result: cell_text.number(result.held_out_error)),
        ("Log-likelihood, nats", lambda result: cell_text.number(result.log_likelihood, 3)),
        ("Diversity, %", lambda result: cell_text.number(result.diversity)),
        (f"As many, {metric.unit}", lambda result: _error(result.same_size)),
        ("Difference", lambda result: _difference(result.same_size)),
        (f"Equal cost, {metric.unit}", lambda result: _error(result.same_cost)),
        ("Difference", lambda result: _difference(result.same_cost)),
    ]
    networks = results[0].networks if results else 0
    notes = noise_warnings([group.task])
    if any(result.which.filled for result in results):
        notes.append("† BAN-k was not trained: the baseline is a member of this Ens*k.")
    notes.append(
        f"Label-only networks of the same spec apart from the seed: {networks} available. As many: as the ensemble has "
        "members. Equal cost: as many as were trained for it, the baseline counted, which is k + 1 for Ens*k. Their "
        "error is a mean over overlapping sets, the difference is over disjoint sets, one a chain (number of sets in "
        "brackets; with one set it is conditional on these networks). Intervals are not corrected."
    )
    return Table.of(
        results,
        columns,
        name="ensembles",
        caption=f"{group.name}: test {metric.name_with_unit} of ensembles of generations and of independent "
        f"label-only networks; differences in {metric.points}, negative where the generations are better",
        data=frame(results).assign(label_noise=group.task.label_noise),
        notes=notes,
    )


def greedy_table(steps: pd.DataFrame, group: ChainGroup) -> Table:
    """The greedy ensemble of a task's members, step by step."""
    metric = group.metric
    columns: list[Column[cell_text.Record]] = [
        ("Networks", lambda row: str(row["step"])),
        ("Joined", lambda row: str(row["network"])),
        ("Objective", lambda row: str(row["objective"])),
        ("Key", lambda row: str(row["key"])[:12]),
        (f"Held-out, {metric.unit}", cell_text.rounded("held_out_error")),
        (f"Test, {metric.unit}", cell_text.rounded("test_error")),
        ("Log-likelihood, nats", cell_text.rounded("test_log_likelihood", 3)),
    ]
    return Table.of(
        steps.to_dict("records"),
        columns,
        name="greedy",
        caption=f"Greedy ensemble of the population's members, chosen on held-out {metric.sample_noun}, "
        f"reported on test; {metric.name_with_unit}",
        data=steps.assign(label_noise=group.task.label_noise),
        notes=(*noise_warnings([group.task]), "The held-out figures chose the members and flatter them."),
    )


def _error(control: Control | None) -> str:
    return cell_text.number(control.error if control else None)


def _difference(control: Control | None) -> str:
    """The interval, and the number of sets that it rests on."""
    return f"{cell_text.crossed(control.interval)} ({control.interval.chains})" if control else cell_text.NOTHING
