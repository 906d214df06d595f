"""Numbers as cells."""

from collections.abc import Callable, Mapping
from math import isnan
from typing import Any

from analysis.statistics.crossed_interval import CrossedInterval

Record = Mapping[Any, Any]
"""A row of a frame."""

NOTHING = "/"
"""What the papers print where nothing was trained."""


def number(value: float | None, digits: int = 2) -> str:
    """A rounded number, ``/`` where there is none."""
    return NOTHING if value is None or isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def rounded(name: str, digits: int = 2) -> Callable[[Record], str]:
    """The text of a record's number of this name."""
    return lambda record: number(record[name], digits)


def with_spread(mean: float, spread: float, digits: int = 2) -> str:
    """``mean ± standard deviation``, the mean alone for one seed."""
    if isnan(mean) or isnan(spread):
        return number(mean, digits)
    return f"{number(mean, digits)} ± {number(spread, digits)}"


def interval(estimate: float, low: float, high: float, digits: int = 2) -> str:
    """``estimate [low, high]``, ``/`` where there is none."""
    if isnan(estimate):
        return NOTHING
    return f"{number(estimate, digits)} [{number(low, digits)}, {number(high, digits)}]"


def difference(record: Record, digits: int = 2) -> str:
    """The interval of a record's columns ``difference``, ``low`` and ``high``."""
    return interval(record["difference"], record["low"], record["high"], digits)


def crossed(found: CrossedInterval | None, digits: int = 2) -> str:
    """The text of a `CrossedInterval`, ``/`` where there is none."""
    return interval(found.estimate, found.low, found.high, digits) if found else NOTHING


def probability(value: float | None) -> str:
    """A p-value of three digits."""
    if value is None or isnan(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def millions(parameters: float | None) -> str:
    """A parameter count as the papers print it, with more digits for small networks."""
    if parameters is None or isnan(parameters):
        return NOTHING
    value = parameters / 1e6
    return f"{value:.1f} M" if value >= 1 else f"{value:.3f} M"
