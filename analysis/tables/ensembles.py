"""Ensembles beside independent label-only networks, and the greedy choice."""

from collections.abc import Sequence

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings
from analysis.statistics.control_pool import Control
from analysis.statistics.ensembles import EnsembleResult, frame
from analysis.tables import cell_text
from analysis.tables.table import Table


def ensemble_table(group: ChainGroup, results: Sequence[EnsembleResult]) -> Table:
    """Every subset of a group's chains against as many label-only networks, and against equal training cost."""
    metric = group.metric
    rows = [
        (
            result.name + (" †" if result.which.filled else ""),
            cell_text.with_spread(result.error, result.spread),
            cell_text.number(result.held_out_error),
            cell_text.number(result.log_likelihood, 3),
            cell_text.number(result.diversity),
            *_control(result.same_size),
            *_control(result.same_cost),
        )
        for result in results
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
    return Table(
        name="ensembles",
        caption=f"{group.name}: test {metric.name_with_unit} of ensembles of generations and of independent "
        f"label-only networks; differences in {metric.points}, negative where the generations are better",
        headings=(
            "Ensemble",
            f"Test, {metric.unit}",
            f"Held-out, {metric.unit}",
            "Log-likelihood, nats",
            "Diversity, %",
            f"As many, {metric.unit}",
            "Difference",
            f"Equal cost, {metric.unit}",
            "Difference",
        ),
        rows=tuple(rows),
        data=frame(results).assign(label_noise=group.task.label_noise),
        notes=tuple(notes),
    )


def greedy_table(steps: pd.DataFrame, group: ChainGroup) -> Table:
    """The greedy ensemble of a task's members, step by step."""
    metric = group.metric
    return Table(
        name="greedy",
        caption=f"Greedy ensemble of the population's members, chosen on held-out {metric.samples}, reported on test; "
        f"{metric.name_with_unit}",
        headings=(
            "Networks",
            "Joined",
            "Objective",
            "Key",
            f"Held-out, {metric.unit}",
            f"Test, {metric.unit}",
            "Log-likelihood, nats",
        ),
        rows=tuple(
            (
                str(row["step"]),
                str(row["network"]),
                str(row["objective"]),
                str(row["key"])[:12],
                cell_text.number(row["held_out_error"]),
                cell_text.number(row["test_error"]),
                cell_text.number(row["test_log_likelihood"], 3),
            )
            for _, row in steps.iterrows()
        ),
        data=steps.assign(label_noise=group.task.label_noise),
        notes=(*noise_warnings([group.task]), "The held-out figures chose the members and flatter them."),
    )


def _control(control: Control | None) -> tuple[str, str]:
    if control is None:
        return cell_text.NOTHING, cell_text.NOTHING
    interval = control.interval
    text = cell_text.interval(interval.estimate, interval.low, interval.high)
    return cell_text.number(control.error), f"{text} ({interval.chains})"
