"""Measures beside the error by generation, and gains by class."""

from collections.abc import Sequence

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings
from analysis.statistics.generation_metrics import EXTREMES, class_titles, extreme_classes
from analysis.tables import cell_text
from analysis.tables.table import Column, Table


def measure_table(groups: Sequence[ChainGroup], measures: pd.DataFrame) -> Table:
    """Likelihood, calibration, agreement with the teacher, its saturation, diversity, beside the error.

    Args:
        measures: rows of `analysis.statistics.generation_metrics.by_generation` for these groups.
    """
    metrics = list(dict.fromkeys(group.metric for group in groups))
    several = len(metrics) > 1
    units = {group.name: f" {group.metric.unit}" if several else "" for group in groups}
    heading = "" if several else f", {metrics[0].unit}"
    samples = "/".join(dict.fromkeys(metric.sample_noun for metric in metrics))
    noise = {group.name: group.task.label_noise for group in groups}
    columns: list[Column[cell_text.Record]] = [
        ("Group", lambda row: str(row["group"])),
        ("Generation", lambda row: str(row["name"])),
        (
            f"Test{heading}",
            lambda row: cell_text.with_spread(row["error"], row["error_spread"]) + units[row["group"]],
        ),
        (f"Held-out{heading}", lambda row: cell_text.number(row["held_out_error"]) + units[row["group"]]),
        ("Log-likelihood, nats", cell_text.rounded("log_likelihood", 3)),
        ("Calibration error, %", cell_text.rounded("calibration_error")),
        ("Confidence", cell_text.rounded("confidence", 3)),
        ("Entropy, nats", cell_text.rounded("entropy", 3)),
        ("Agrees with teacher, %", cell_text.rounded("agreement", 1)),
        ("Teacher's confidence", cell_text.rounded("teacher_confidence", 3)),
        ("Teacher's entropy, nats", cell_text.rounded("teacher_entropy", 3)),
        ("Differs in chain, %", cell_text.rounded("diversity_in_chain", 1)),
        ("Differs over seeds, %", cell_text.rounded("diversity_over_seeds", 1)),
    ]
    return Table.of(
        measures.to_dict("records"),
        columns,
        name="measures",
        caption="What else changes with the generations, means over seeds on test",
        data=measures.assign(label_noise=measures["group"].map(noise)),
        notes=(
            *noise_warnings(group.task for group in groups),
            "Calibration error: 15 equal bins. Teacher's confidence and entropy: on the training views of the last "
            "epoch; a confidence near 1 means a saturated teacher that adds little to the labels. Differs: share of "
            f"test {samples} on which two networks predict different classes.",
        ),
    )


def class_table(group: ChainGroup, classes: pd.DataFrame) -> Table:
    """The last generation against the baseline, class by class; of many classes the extreme ones."""
    metric = group.metric
    shown = extreme_classes(classes)
    shown = shown.assign(title=class_titles(shown))
    notes = noise_warnings([group.task])
    if len(shown) < len(classes):
        notes.append(f"The {EXTREMES} classes with the largest gains and the {EXTREMES} with the largest losses.")
    notes.append("Intervals are not corrected for their number.")
    columns: list[Column[cell_text.Record]] = [
        ("Class", lambda row: str(row["title"])),
        ("Images", lambda row: str(row["images"])),
        (f"Baseline, {metric.unit}", cell_text.rounded("baseline_error")),
        (f"Last, {metric.unit}", cell_text.rounded("error")),
        (f"Difference, {metric.points}", lambda row: cell_text.difference(row, 1)),
    ]
    return Table.of(
        shown.to_dict("records"),
        columns,
        name="classes",
        caption=f"{group.name}: last generation against baseline by class, {metric.points}; negative is a gain",
        data=classes.assign(label_noise=group.task.label_noise),
        notes=notes,
    )
