"""A comparison in one honest sentence."""

from analysis.statistics.crossed_interval import CrossedInterval

COVERAGE_PERCENT = {2: (87, 98), 3: (92, 98), 4: (93, 98)}
"""What a nominal 95 % interval covers with few seeds: the lowest and highest share over ratios of the seeds', images'
and residual variance; from 5 seeds on it covers 94-98 %."""


def sentence(interval: CrossedInterval, name: str, against: str = "baseline", unit: str = "points") -> str:
    """The result, its uncertainty, and what it rests on.

    Args:
        name, against: what is compared with what, e.g. ``"BAN-3"`` and ``"baseline"``.
        unit: of the interval.

    Returns:
        For example ``BAN-3 against baseline: -5.0 points [-6.4, -3.7], 8 seeds`` or ``BAN-3 against baseline: no gain
        distinguishable at this size: -0.3 points [-1.1, 0.5], 3 seeds``.
    """
    if interval.distinguishable:
        verdict = "" if interval.estimate < 0 else "worse, "
    else:
        verdict = "no gain distinguishable at this size: "
    return f"{name} against {against}: {verdict}{interval_text(interval, unit)}, {basis(interval)}"


def interval_text(interval: CrossedInterval, unit: str = "points") -> str:
    """For example ``-5.0 points [-6.4, -3.7]``; more decimals where the first would hide the answer."""
    digits = 1
    shown = [interval.low, interval.high]
    if interval.high - interval.low < 1 or any(value and not round(value, 1) for value in shown):
        digits = 2
    if 0 < interval.high - interval.low < 0.1:
        digits = 3
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    estimate, low, high = (round(value, digits) + 0.0 for value in (interval.estimate, *shown))
    return f"{estimate:.{digits}f}{' ' + unit if unit else ''} [{low:.{digits}f}, {high:.{digits}f}]"


def basis(interval: CrossedInterval) -> str:
    """What the interval rests on: seeds, or chains and roots, and what it is conditional on."""
    if interval.scope == "conditional on these networks":
        return "1 seed, conditional on these networks"
    if interval.scope == "conditional on this teacher":
        return f"{interval.chains} chains from 1 root, conditional on this teacher"
    if interval.roots < interval.chains:
        return f"{interval.chains} chains from {interval.roots} roots"
    return f"{interval.roots} seeds"


def reliability(interval: CrossedInterval) -> str:
    """A warning where there are too few seeds for the interval to be taken at its word, else nothing."""
    if interval.scope == "conditional on these networks":
        return "One seed: the interval says what new images would change, not what another seed would."
    seeds, unit = (interval.chains, "chains") if interval.roots == 1 else (interval.roots, "seeds")
    if seeds not in COVERAGE_PERCENT:
        return ""
    low, high = COVERAGE_PERCENT[seeds]
    return (
        f"With {seeds} {unit} a nominal 95 % interval covers {low}-{high} %, depending on how much of the variation "
        f"is between {unit}."
    )
