"""Measures beside the error by generation, and gains by class."""

from collections.abc import Sequence

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings
from analysis.tables import cell_text
from analysis.tables.table import Table

MOST_CLASSES = 20


def measure_table(groups: Sequence[ChainGroup], measures: pd.DataFrame) -> Table:
    """Likelihood, calibration, agreement with the teacher, its saturation, diversity, beside the error.

    Args:
        measures: rows of `analysis.statistics.generation_metrics.by_generation` for these groups.
    """
    metrics = list(dict.fromkeys(group.metric for group in groups))
    several = len(metrics) > 1
    units = {group.name: f" {group.metric.unit}" if several else "" for group in groups}
    heading = "" if several else f", {metrics[0].unit}"
    samples = "/".join(dict.fromkeys(metric.samples for metric in metrics))
    rows = [
        (
            str(row["group"]),
            str(row["name"]),
            cell_text.with_spread(row["error"], row["error_spread"]) + units[str(row["group"])],
            cell_text.number(row["held_out_error"]) + units[str(row["group"])],
            cell_text.number(row["log_likelihood"], 3),
            cell_text.number(row["calibration_error"]),
            cell_text.number(row["confidence"], 3),
            cell_text.number(row["entropy"], 3),
            cell_text.number(row["agreement"], 1),
            cell_text.number(row["teacher_confidence"], 3),
            cell_text.number(row["teacher_entropy"], 3),
            cell_text.number(row["diversity_in_chain"], 1),
            cell_text.number(row["diversity_over_seeds"], 1),
        )
        for _, row in measures.iterrows()
    ]
    noise = {group.name: group.task.label_noise for group in groups}
    return Table(
        name="measures",
        caption="What else changes with the generations, means over seeds on test",
        headings=(
            "Group",
            "Generation",
            f"Test{heading}",
            f"Held-out{heading}",
            "Log-likelihood, nats",
            "Calibration error, %",
            "Confidence",
            "Entropy, nats",
            "Agrees with teacher, %",
            "Teacher's confidence",
            "Teacher's entropy, nats",
            "Differs in chain, %",
            "Differs over seeds, %",
        ),
        rows=tuple(rows),
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
    ordered = classes.sort_values("difference", kind="stable")
    shown = ordered
    notes = noise_warnings([group.task])
    if len(ordered) > MOST_CLASSES:
        half = MOST_CLASSES // 2
        shown = pd.concat([ordered.head(half), ordered.tail(half)])
        notes.append(f"The {half} classes with the largest gains and the {half} with the largest losses.")
    notes.append("Intervals are not corrected for their number.")
    return Table(
        name="classes",
        caption=f"{group.name}: last generation against baseline by class, {metric.points}; negative is a gain",
        headings=(
            "Class",
            "Images",
            f"Baseline, {metric.unit}",
            f"Last, {metric.unit}",
            f"Difference, {metric.points}",
        ),
        rows=tuple(
            (
                str(int(row["label"])),
                str(int(row["images"])),
                cell_text.number(row["baseline_error"]),
                cell_text.number(row["error"]),
                cell_text.interval(row["difference"], row["low"], row["high"], 1),
            )
            for _, row in shown.iterrows()
        ),
        data=classes.assign(label_noise=group.task.label_noise),
        notes=tuple(notes),
    )
