"""Parameters of search spaces, declared without any sampler's library."""

import random
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import exp, log

from ban_ray.specs.canonical import digest

Value = int | float | str
Configuration = Mapping[str, Value]
When = Mapping[str, tuple[Value, ...]]
"""The values of earlier parameters for which a parameter exists; empty if it always does."""

_DIGITS = 10
"""Decimals of a stepped float: 0.3, not 0.30000000000000004."""


@dataclass(frozen=True)
class Choice:
    """Values without an order."""

    values: tuple[Value, ...]
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise ValueError(f"the values {self.values} of a choice must differ, and at least one is needed")

    def listed(self) -> tuple[Value, ...] | None:
        return self.values

    def contains(self, value: object) -> bool:
        return value in self.values

    def canonical(self, value: Value) -> Value:
        return value

    def sample(self, rng: random.Random) -> Value:
        return rng.choice(self.values)


@dataclass(frozen=True)
class IntRange:
    """Whole numbers `low`, `low + step`, ... up to `high`, or all of them on a logarithmic scale."""

    low: int
    high: int
    step: int = 1
    when: When = field(default_factory=dict)
    log: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high or self.step < 1:
            raise ValueError(f"there are no whole numbers from {self.low} to {self.high} in steps of {self.step}")
        if self.log and (self.low < 1 or self.step != 1):
            raise ValueError(f"whole numbers from {self.low} on a logarithmic scale must be above 0 and have no step")

    def listed(self) -> tuple[Value, ...] | None:
        return tuple(range(self.low, self.high + 1, self.step))

    def contains(self, value: object) -> bool:
        return isinstance(value, int) and value in range(self.low, self.high + 1, self.step)

    def canonical(self, value: Value) -> Value:
        return value

    def sample(self, rng: random.Random) -> Value:
        if self.log:
            return min(max(round(exp(rng.uniform(log(self.low - 0.5), log(self.high + 0.5)))), self.low), self.high)
        return rng.randrange(self.low, self.high + 1, self.step)


@dataclass(frozen=True)
class FloatRange:
    """Numbers from `low` to `high`: all of them, on a linear or logarithmic scale, or in steps of `step`."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.low > self.high or (self.step is not None and self.step <= 0):
            raise ValueError(f"there are no numbers from {self.low} to {self.high} in steps of {self.step}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(f"numbers from {self.low} on a logarithmic scale must be above 0 and have no step")

    def listed(self) -> tuple[Value, ...] | None:
        if self.step is None:
            return None
        count = int((self.high - self.low) / self.step + 1e-9)
        return tuple(round(self.low + number * self.step, _DIGITS) for number in range(count + 1))

    def contains(self, value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        values = self.listed()
        return self.low <= value <= self.high if values is None else value in values

    def canonical(self, value: Value) -> Value:
        """A stepped value without the rounding error of a sampler's arithmetic."""
        return value if self.step is None else round(float(value), _DIGITS)

    def sample(self, rng: random.Random) -> Value:
        if values := self.listed():
            return rng.choice(values)
        if self.log:
            return min(max(exp(rng.uniform(log(self.low), log(self.high))), self.low), self.high)
        return rng.uniform(self.low, self.high)


Parameter = Choice | IntRange | FloatRange
Parameters = Mapping[str, Parameter]


def configuration_id(configuration: Configuration) -> str:
    """The digest that identifies a configuration."""
    return digest(dict(configuration))


def check(parameters: Parameters) -> None:
    """Refuse what is no parameter, and conditions that can never hold.

    Raises:
        ValueError: a value that is no parameter, or a condition on no earlier parameter or on a value that it does not
            take.
    """
    earlier: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        if not isinstance(parameter, Parameter):
            raise ValueError(
                f"parameter {name} = {reprlib.repr(parameter)} must be a Choice, an IntRange or a FloatRange"
            )
        for other, values in parameter.when.items():
            if other not in earlier or not values or not all(earlier[other].contains(value) for value in values):
                raise ValueError(f"parameter {name} depends on {other} in {values}, which no earlier parameter takes")
        earlier[name] = parameter


def parameters_as_json(parameters: Parameters) -> list[dict[str, object]]:
    """The parameters as JSON values, in their order."""
    return [_as_json(name, parameter) for name, parameter in parameters.items()]


def _as_json(name: str, parameter: Parameter) -> dict[str, object]:
    fields = {"name": name, "kind": type(parameter).__name__, **asdict(parameter)}
    if isinstance(parameter, IntRange) and not parameter.log:
        # Older searches have no such field; without it a search is the same.
        del fields["log"]
    return fields


def values_text(parameter: Parameter) -> str:
    """The values of a parameter in words."""
    if isinstance(parameter, Choice):
        return ", ".join(map(str, parameter.values))
    has_step = parameter.step is not None and not (isinstance(parameter, IntRange) and parameter.log)
    step = f" by {parameter.step:g}" if has_step else ""
    return f"{parameter.low:g} to {parameter.high:g}{step}{', by its logarithm' if parameter.log else ''}"


def conditional(parameters: Parameters) -> bool:
    """Whether some parameter exists only for some values of others."""
    return any(parameter.when for parameter in parameters.values())


def is_active(parameter: Parameter, configuration: Configuration) -> bool:
    """Whether a parameter exists, given the values of the earlier ones."""
    return all(configuration.get(name) in values for name, values in parameter.when.items())


def continuous(parameters: Parameters) -> list[str]:
    """Parameters that take more values than can be listed."""
    return [name for name, parameter in parameters.items() if parameter.listed() is None]


def contains(parameters: Parameters, configuration: Mapping[str, object]) -> bool:
    """Whether a configuration has a value for exactly the parameters that exist for it, each a value that it takes."""
    known: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if is_active(parameter, known):
            value = configuration.get(name)
            if not isinstance(value, int | float | str) or not parameter.contains(value):
                return False
            known[name] = value
    return set(known) == set(configuration)


def sample(parameters: Parameters, rng: random.Random) -> Configuration:
    """A random configuration, each parameter drawn evenly over its range."""
    sampled: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if is_active(parameter, sampled):
            sampled[name] = parameter.sample(rng)
    return sampled


def perturb(parameters: Parameters, configuration: Configuration, count: int, rng: random.Random) -> Configuration:
    """A configuration with `count` parameters sampled again, and the parameters that then exist."""
    resampled = set(rng.sample(sorted(parameters), min(count, len(parameters))))
    perturbed: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if is_active(parameter, perturbed):
            is_kept = name in configuration and name not in resampled
            perturbed[name] = configuration[name] if is_kept else parameter.sample(rng)
    return perturbed


def grid(parameters: Parameters) -> Iterator[Configuration]:
    """Every configuration, the last parameter changing fastest.

    Raises:
        ValueError: a parameter is continuous.
    """
    if unlisted := continuous(parameters):
        raise ValueError(f"parameter {unlisted[0]} takes more values than can be listed")
    configurations: Iterator[Configuration] = iter([{}])
    for name, parameter in parameters.items():
        configurations = _extensions(configurations, name, parameter)
    return configurations


def _extensions(configurations: Iterator[Configuration], name: str, parameter: Parameter) -> Iterator[Configuration]:
    for known in configurations:
        if is_active(parameter, known):
            yield from ({**known, name: value} for value in parameter.listed() or ())
        else:
            yield known
