"""Parameters of a search space: what may be varied, declared without any sampler's library."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import exp, log

from ban_ray.specs.canonical import digest

Value = int | float | str
Configuration = Mapping[str, Value]
When = Mapping[str, tuple[Value, ...]]
"""Values that earlier parameters must have for a parameter to exist; empty: it always does."""

_DIGITS = 10
"""Decimals that a stepped float keeps: 0.3, not 0.30000000000000004."""


@dataclass(frozen=True)
class Choice:
    """One of some values without an order."""

    values: tuple[Value, ...]
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise ValueError(f"the values {self.values} of a choice must differ, and there must be one")

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
    """Whole numbers `low`, `low + step`, ... up to `high`."""

    low: int
    high: int
    step: int = 1
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.low > self.high or self.step < 1:
            raise ValueError(f"whole numbers from {self.low} to {self.high} by {self.step} are none")

    def listed(self) -> tuple[Value, ...] | None:
        return tuple(range(self.low, self.high + 1, self.step))

    def contains(self, value: object) -> bool:
        return isinstance(value, int) and value in range(self.low, self.high + 1, self.step)

    def canonical(self, value: Value) -> Value:
        return value

    def sample(self, rng: random.Random) -> Value:
        return rng.randrange(self.low, self.high + 1, self.step)


@dataclass(frozen=True)
class FloatRange:
    """Numbers from `low` to `high`: all of them, evenly or by their logarithm, or every `step`."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.low > self.high or (self.step is not None and self.step <= 0):
            raise ValueError(f"numbers from {self.low} to {self.high} by {self.step} are none")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError(f"numbers from {self.low} by their logarithm must be above 0 and have no step")

    def listed(self) -> tuple[Value, ...] | None:
        if self.step is None:
            return None
        count = int((self.high - self.low) / self.step + 1e-9)
        return tuple(round(self.low + number * self.step, _DIGITS) for number in range(count + 1))

    def contains(self, value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        every = self.listed()
        return self.low <= value <= self.high if every is None else value in every

    def canonical(self, value: Value) -> Value:
        """A stepped value without the binary tail that a sampler's arithmetic leaves, so that equal ones are equal."""
        return value if self.step is None else round(float(value), _DIGITS)

    def sample(self, rng: random.Random) -> Value:
        if every := self.listed():
            return rng.choice(every)
        if self.log:
            return min(max(exp(rng.uniform(log(self.low), log(self.high))), self.low), self.high)
        return rng.uniform(self.low, self.high)


Parameter = Choice | IntRange | FloatRange
Parameters = Mapping[str, Parameter]


def configuration_id(configuration: Configuration) -> str:
    """The digest that identifies a configuration."""
    return digest(dict(configuration))


def check(parameters: Parameters) -> None:
    """Refuse conditions that can never hold.

    Raises:
        ValueError: a condition names no earlier parameter, or a value that it does not take.
    """
    earlier: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        for other, values in parameter.when.items():
            if other not in earlier or not values or not all(earlier[other].contains(value) for value in values):
                raise ValueError(f"parameter {name} depends on {other} in {values}, which no earlier parameter takes")
        earlier[name] = parameter


def parameters_as_json(parameters: Parameters) -> list[dict[str, object]]:
    """The parameters as JSON values, in their order."""
    return [
        {"name": name, "kind": type(parameter).__name__, **asdict(parameter)} for name, parameter in parameters.items()
    ]


def conditional(parameters: Parameters) -> bool:
    """Whether some parameter exists in a part of the space only."""
    return any(parameter.when for parameter in parameters.values())


def is_active(parameter: Parameter, configuration: Configuration) -> bool:
    """Whether a parameter exists, given the values of the earlier ones."""
    return all(configuration.get(name) in values for name, values in parameter.when.items())


def continuous(parameters: Parameters) -> list[str]:
    """Parameters that take more values than can be listed."""
    return [name for name, parameter in parameters.items() if parameter.listed() is None]


def contains(parameters: Parameters, configuration: Mapping[str, object]) -> bool:
    """Whether a configuration gives exactly the parameters that exist for it, each a value that it takes."""
    known: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if is_active(parameter, known):
            value = configuration.get(name)
            if not isinstance(value, int | float | str) or not parameter.contains(value):
                return False
            known[name] = value
    return set(known) == set(configuration)


def sample(parameters: Parameters, rng: random.Random) -> Configuration:
    """A configuration at random, each parameter evenly over its range."""
    drawn: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if is_active(parameter, drawn):
            drawn[name] = parameter.sample(rng)
    return drawn


def perturb(parameters: Parameters, configuration: Configuration, count: int, rng: random.Random) -> Configuration:
    """A configuration with `count` parameters drawn anew, and those that apply by them."""
    resampled = set(rng.sample(sorted(parameters), min(count, len(parameters))))
    varied: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if is_active(parameter, varied):
            keep = name in configuration and name not in resampled
            varied[name] = configuration[name] if keep else parameter.sample(rng)
    return varied


def grid(parameters: Parameters) -> Iterator[Configuration]:
    """Every configuration, the last parameter changing fastest.

    Raises:
        ValueError: a parameter is continuous.
    """
    if unlisted := continuous(parameters):
        raise ValueError(f"parameter {unlisted[0]} takes more values than can be listed")
    return _grid(list(parameters.items()), {})


def _grid(remaining: Sequence[tuple[str, Parameter]], known: Configuration) -> Iterator[Configuration]:
    if not remaining:
        yield known
        return
    (name, parameter), *others = remaining
    if not is_active(parameter, known):
        yield from _grid(others, known)
        return
    for value in parameter.listed() or ():
        yield from _grid(others, {**known, name: value})
