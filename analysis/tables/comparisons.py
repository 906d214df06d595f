"""Comparisons with their intervals and tests."""

from collections.abc import Sequence

import pandas as pd

from analysis.gains.comparison import Comparison, frame
from analysis.gains.comparisons import first_name
from analysis.gains.pairs import Pair
from analysis.gains.words import reliability
from analysis.groups import Group
from analysis.regime import noise_warning
from analysis.tables import cells
from analysis.tables.table import Table


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Every comparison: difference, 95 % interval, p-value, smallest detectable difference, log-likelihood."""
    rows = []
    for one in comparisons:
        interval, likelihood = one.interval, one.likelihood
        rows.append(
            (
                "(averaged)" if one.kind == "pooled" else one.group.name,
                f"{one.name} against {one.against}{' (primary)' if one.primary else ''}",
                cells.number(one.against_error),
                cells.number(one.error),
                cells.interval(interval.estimate, interval.low, interval.high),
                f"{interval.chains} / {interval.roots}",
                cells.probability(interval.p_value),
                cells.probability(one.p_holm),
                cells.number(interval.smallest_detectable),
                cells.interval(likelihood.estimate, likelihood.low, likelihood.high, 3)
                if likelihood
                else cells.NOTHING,
            )
        )
    metric = comparisons[0].group.metric if comparisons else None
    unit, points = (metric.unit, metric.points) if metric else ("%", "points")
    notes = sorted({warning for one in comparisons if (warning := noise_warning(one.group.task))})
    if len(rows) > 1:
        notes.append(
            "One comparison is primary, chosen without a look at results: the last generation against its network on "
            "labels, in the group with the most seeds, then the most generations, then the first; in a search it is "
            "averaged over the networks that stand in the same place. Holm's p-values are corrected over the other "
            f"{len([one for one in comparisons if not one.primary])}. Intervals are not corrected."
        )
    notes.append(f"Detectable: the true difference, in {points}, that such data would find in 80 % of repetitions.")
    conditional = sorted({one.interval.scope for one in comparisons if one.interval.scope.startswith("conditional")})
    for scope in conditional:
        notes.append(f"Some intervals are {scope}: those with one root in the column chains / roots.")
    notes += sorted({text for one in comparisons if (text := reliability(one.interval))})
    notes += sorted({one.group.metric.caveat for one in comparisons} - {""})
    return Table(
        name="comparisons",
        caption=f"Differences of test {metric.name if metric else 'error'} in {points} with 95 % intervals over new "
        f"seeds and new {metric.samples if metric else 'images'}; negative is a gain",
        headings=(
            "Group",
            "Comparison",
            f"Against, {unit}",
            f"Is, {unit}",
            f"Difference, {points}",
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


def pair_table(group: Group, pairs: Sequence[Pair]) -> Table:
    """Each chain on its own: these two networks on new images, by paired bootstrap and McNemar's test."""
    rows, data = [], []
    for one in pairs:
        difference = one.error - one.against_error
        seed = "unknown" if one.seed is None else str(one.seed)
        rows.append(
            (
                seed,
                cells.number(one.against_error),
                cells.number(one.error),
                cells.interval(difference, one.low, one.high),
                f"{one.test.gained} / {one.test.lost}",
                cells.probability(one.test.exact),
                cells.probability(one.test.mid_p),
            )
        )
        data.append(
            {
                "group": group.name,
                "label_noise": group.task.label_noise,
                "chain_seed": one.seed,
                "baseline_error": one.against_error,
                "error": one.error,
                "difference": difference,
                "low": one.low,
                "high": one.high,
                "gained": one.test.gained,
                "lost": one.test.lost,
                "mcnemar_exact": one.test.exact,
                "mcnemar_mid_p": one.test.mid_p,
            }
        )
    metric = group.metric
    name, first = group.column(group.last), first_name(group)
    warning = noise_warning(group.task)
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
        rows=tuple(rows),
        data=pd.DataFrame(data),
        notes=(*([warning] if warning else []), "A row says nothing about other seeds."),
    )
