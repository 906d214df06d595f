"""Comparisons with their intervals and tests."""

from collections.abc import Sequence

import pandas as pd

from analysis.data.chain_groups import ChainGroup
from analysis.data.setting import noise_warnings
from analysis.statistics.comparison import Comparison, frame, scope_of
from analysis.statistics.comparisons import first_name
from analysis.statistics.wording import reliability
from analysis.tables import cell_text
from analysis.tables.table import Column, Table

UNSEEN = ", chosen without a look at results"


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Every comparison: difference, 95 % interval, p-value, smallest detectable difference, log-likelihood.

    Units are in the headings, or, where tasks of several metrics are compared, in the cells.
    """
    metrics = list(dict.fromkeys(c.group.metric for c in comparisons))
    what = f"test {metrics[0].name} in {metrics[0].points}" if len(metrics) == 1 else "the tasks' test metrics"
    unit, points = (f", {metrics[0].unit}", f", {metrics[0].points}") if len(metrics) == 1 else ("", "")
    notes = noise_warnings(c.group.task for c in comparisons)
    if len(comparisons) > 1:
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

    def unit_of(c: Comparison) -> str:
        return f" {c.group.metric.unit}" if len(metrics) > 1 else ""

    def points_of(c: Comparison) -> str:
        return f" {c.group.metric.points}" if len(metrics) > 1 else ""

    columns: list[Column[Comparison]] = [
        ("Group", lambda c: "(averaged)" if c.kind == "pooled" else c.group.name),
        ("Comparison", lambda c: f"{c.title} against {c.against}{' (primary)' if c.primary else ''}"),
        (f"Against{unit}", lambda c: cell_text.number(c.against_error) + unit_of(c)),
        (f"Is{unit}", lambda c: cell_text.number(c.error) + unit_of(c)),
        (f"Difference{points}", lambda c: cell_text.crossed(c.interval) + points_of(c)),
        ("Chains / roots", lambda c: f"{c.interval.chains} / {c.interval.roots}"),
        ("p", lambda c: cell_text.probability(c.interval.p_value)),
        ("p (Holm)", lambda c: cell_text.probability(c.p_holm)),
        ("Detectable", lambda c: cell_text.number(c.interval.smallest_detectable) + points_of(c)),
        ("Log-likelihood, nats", lambda c: cell_text.crossed(c.likelihood, 3)),
    ]
    return Table.of(
        comparisons,
        columns,
        name="comparisons",
        caption=f"Differences of {what} with 95 % intervals {scope_of(comparisons)}; negative is a gain",
        data=frame(comparisons),
        notes=notes,
    )


def pair_table(group: ChainGroup, pairs: pd.DataFrame) -> Table:
    """Each chain on its own: these two networks on new images, by paired bootstrap and McNemar's test."""
    metric = group.metric
    name, first = group.column(group.last), first_name(group)
    columns: list[Column[cell_text.Record]] = [
        ("Chain seed", lambda row: "unknown" if pd.isna(row["chain_seed"]) else str(int(row["chain_seed"]))),
        (f"{first}, {metric.unit}", cell_text.rounded("baseline_error")),
        (f"{name}, {metric.unit}", cell_text.rounded("error")),
        (f"Difference, {metric.points}", cell_text.difference),
        ("Images gained / lost", lambda row: f"{row['gained']} / {row['lost']}"),
        ("McNemar exact", lambda row: cell_text.probability(row["mcnemar_exact"])),
        ("McNemar mid-p", lambda row: cell_text.probability(row["mcnemar_mid_p"])),
    ]
    return Table.of(
        pairs.to_dict("records"),
        columns,
        name="pairs",
        caption=f"{group.name}: {name} against {first}, each pair of networks on new images (95 % paired bootstrap, "
        "McNemar)",
        data=pairs,
        notes=(*noise_warnings([group.task]), "A row says nothing about other seeds."),
    )
