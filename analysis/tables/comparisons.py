"""Comparisons with their intervals and tests."""

from collections.abc import Sequence

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings
from analysis.statistics.comparison import Comparison, frame, scope_of
from analysis.statistics.comparisons import first_name
from analysis.statistics.wording import reliability
from analysis.tables import cell_text
from analysis.tables.table import Table

UNSEEN = ", chosen without a look at results"


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Every comparison: difference, 95 % interval, p-value, smallest detectable difference, log-likelihood.

    Units are in the headings, or, where tasks of several metrics are compared, in the cells.
    """
    metrics = list(dict.fromkeys(c.group.metric for c in comparisons))
    several = len(metrics) > 1
    rows = []
    for c in comparisons:
        interval, likelihood, metric = c.interval, c.likelihood, c.group.metric
        unit, points = (f" {metric.unit}", f" {metric.points}") if several else ("", "")
        rows.append(
            (
                "(averaged)" if c.kind == "pooled" else c.group.name,
                f"{c.title} against {c.against}{' (primary)' if c.primary else ''}",
                cell_text.number(c.against_error) + unit,
                cell_text.number(c.error) + unit,
                cell_text.interval(interval.estimate, interval.low, interval.high) + points,
                f"{interval.chains} / {interval.roots}",
                cell_text.probability(interval.p_value),
                cell_text.probability(c.p_holm),
                cell_text.number(interval.smallest_detectable) + points,
                cell_text.interval(likelihood.estimate, likelihood.low, likelihood.high, 3)
                if likelihood
                else cell_text.NOTHING,
            )
        )
    what = f"test {metrics[0].name} in {metrics[0].points}" if len(metrics) == 1 else "the tasks' test metrics"
    units = [""] * 3 if several or not metrics else [f", {metrics[0].unit}"] * 2 + [f", {metrics[0].points}"]
    notes = noise_warnings(c.group.task for c in comparisons)
    if len(rows) > 1:
        notes.append(
            f"One comparison is primary{'' if any(c.group.left_out for c in comparisons) else UNSEEN}: the last "
            "generation against its network on labels, in the group with the most seeds, then the most generations, "
            "then the first; in a search it is averaged over the networks of one design. Holm's "
            f"p-values are corrected over the other {len([c for c in comparisons if not c.primary])}, those with "
            "one root apart. Intervals are not corrected."
        )
    notes.append("Detectable: the true difference that such data would find in 80 % of repetitions.")
    if any(1 < c.interval.roots < c.interval.chains for c in comparisons):
        notes.append(
            "Differences weigh roots alike, the two means beside them chains: where roots have different numbers of "
            "chains, a difference is not that of the means."
        )
    conditional = sorted({c.interval.scope for c in comparisons if c.interval.scope.startswith("conditional")})
    for scope in conditional:
        notes.append(f"Some intervals are {scope}: those with one root in the column chains / roots.")
    notes += sorted({text for c in comparisons if (text := reliability(c.interval))})
    notes += sorted({c.group.metric.caveat for c in comparisons} - {""})
    return Table(
        name="comparisons",
        caption=f"Differences of {what} with 95 % intervals {scope_of(comparisons)}; negative is a gain",
        headings=(
            "Group",
            "Comparison",
            f"Against{units[0]}",
            f"Is{units[1]}",
            f"Difference{units[2]}",
            "Chains / roots",
            "p",
            "p (Holm)",
            "Detectable",
            "Log-likelihood, nats",
        ),
        rows=tuple(rows),
        data=frame(comparisons),
        notes=tuple(notes),
    )


def pair_table(group: ChainGroup, pairs: pd.DataFrame) -> Table:
    """Each chain on its own: these two networks on new images, by paired bootstrap and McNemar's test."""
    metric = group.metric
    name, first = group.column(group.last), first_name(group)
    return Table(
        name="pairs",
        caption=f"{group.name}: {name} against {first}, each pair of networks on new images (95 % paired bootstrap, "
        "McNemar)",
        headings=(
            "Chain seed",
            f"{first}, {metric.unit}",
            f"{name}, {metric.unit}",
            f"Difference, {metric.points}",
            "Images gained / lost",
            "McNemar exact",
            "McNemar mid-p",
        ),
        rows=tuple(
            (
                "unknown" if pd.isna(row["chain_seed"]) else str(int(row["chain_seed"])),
                cell_text.number(row["baseline_error"]),
                cell_text.number(row["error"]),
                cell_text.interval(row["difference"], row["low"], row["high"]),
                f"{row['gained']} / {row['lost']}",
                cell_text.probability(row["mcnemar_exact"]),
                cell_text.probability(row["mcnemar_mid_p"]),
            )
            for row in pairs.to_dict("records")
        ),
        data=pairs,
        notes=(*noise_warnings([group.task]), "A row says nothing about other seeds."),
    )
