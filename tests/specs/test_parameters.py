"""Declared parameters: drawing, listing and recognising configurations, with conditions."""

import random
import re
from collections.abc import Callable

import pytest

from ban_ray.specs import Choice, FloatRange, IntRange, Objective, Recipe, Scale, noisy_digits_sampled
from ban_ray.specs.parameters import Parameters, check, conditional, contains, continuous, grid, sample

FINITE: Parameters = {
    "family": Choice(("a", "b")),
    "units": IntRange(1, 5, 2, when={"family": ("a",)}),
    "ratio": FloatRange(0.25, 0.5, 0.05, when={"family": ("b",)}),
    "deep": Choice((True,), when={"units": (5,)}),
}


def test_10000_draws_of_a_conditional_space_are_its_points() -> None:
    points = [tuple(sorted(point.items())) for point in grid(FINITE)]
    assert len(points) == len(set(points)) == 3 + 6
    chance = random.Random(0)
    drawn: dict[tuple[tuple[str, object], ...], int] = {}
    for _ in range(10_000):
        configuration = sample(FINITE, chance)
        assert contains(FINITE, configuration)
        drawn[tuple(sorted(configuration.items()))] = drawn.get(tuple(sorted(configuration.items())), 0) + 1
    assert set(drawn) == set(points)
    a = sum(count for point, count in drawn.items() if dict(point)["family"] == "a")
    assert 4700 < a < 5300, "the family is drawn evenly, whatever depends on it"


def test_steps_have_no_binary_tails() -> None:
    assert FloatRange(0.3, 0.7, 0.1).listed() == (0.3, 0.4, 0.5, 0.6, 0.7)
    assert len(FloatRange(0.25, 2, 0.05).listed() or ()) == 36
    assert IntRange(4, 17, 4).listed() == (4, 8, 12, 16)


def test_a_logarithmic_range_is_drawn_evenly_by_its_logarithm() -> None:
    rate, chance = FloatRange(0.01, 1, log=True), random.Random(0)
    low = sum(float(rate.sample(chance)) < 0.1 for _ in range(10_000))
    assert 4700 < low < 5300
    assert continuous({"rate": rate, "units": IntRange(1, 2)}) == ["rate"]
    with pytest.raises(ValueError, match="rate"):
        grid({"rate": rate})


@pytest.mark.parametrize(
    "foreign",
    [
        {"family": "a"},
        {"family": "a", "units": 2},
        {"family": "a", "units": 1, "ratio": 0.25},
        {"family": "b", "ratio": 0.26},
        {"family": "c"},
        {"family": "b", "ratio": None},
    ],
)
def test_other_configurations_are_recognised_as_such(foreign: dict[str, object]) -> None:
    assert not contains(FINITE, foreign)


def test_a_condition_names_an_earlier_parameter_and_its_value() -> None:
    assert conditional(FINITE)
    assert not conditional({"units": IntRange(1, 2)})
    for when in ({"later": (1,)}, {"family": ("c",)}, {"family": ()}):
        with pytest.raises(ValueError, match="depends on"):
            check({"family": Choice(("a",)), "units": IntRange(1, 2, when=when), "later": IntRange(1, 2)})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Choice(()),
        lambda: Choice((1, 1)),
        lambda: IntRange(3, 2),
        lambda: IntRange(1, 2, 0),
        lambda: FloatRange(1, 0),
        lambda: FloatRange(0, 1, log=True),
        lambda: FloatRange(0.1, 1, 0.1, log=True),
    ],
)
def test_empty_ranges_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"there are no|must"):
        make()


@pytest.mark.parametrize("value", [16, 0.1, "small", (1, 2)])
def test_a_plain_value_is_no_parameter(value: object) -> None:
    sentence = re.escape(f"parameter depth = {value!r} must be a Choice, an IntRange or a FloatRange")
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        noisy_digits_sampled("ban", {"depth": value}, samples=1)  # type: ignore[dict-item]


def test_a_scale_has_a_list_or_parameters() -> None:
    common = {"task": "digits", "recipe": Recipe(), "objective": Objective(name="ban"), "generations": 1, "seeds": (0,)}
    with pytest.raises(ValueError, match="either"):
        Scale(**common)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="either"):
        Scale(**common, configurations=({},), parameters=FINITE, samples=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="samples"):
        Scale(**common, parameters=FINITE)  # type: ignore[arg-type]
