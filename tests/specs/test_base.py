"""Specs refuse unknown fields and invalid values in whichever way they are made or copied; copies keep keys."""

import copy
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ban_ray.errors import UserError
from ban_ray.specs import Generation, Objective, Recipe, born_again
from ban_ray.specs.base import Spec
from ban_ray.tasks.source import Source
from tests.specs.golden import DIGITS, GENERATIONS, LABEL

CHAIN = born_again(DIGITS, "densenet-bc-16-8", Recipe(epochs=3), Objective(name="ban"), seed=0, generations=1)
SPECS: tuple[Spec, ...] = (
    DIGITS,
    CHAIN.generations[0].recipe,
    LABEL,
    CHAIN.generations[1],
    CHAIN,
    Source(name="digits"),
)
Make = Callable[[Spec, Mapping[str, Any]], Spec]


def given(spec: Spec) -> dict[str, Any]:
    return spec.model_dump(exclude_defaults=True)


MAKES: dict[str, Make] = {
    "constructor": lambda spec, more: type(spec)(**{**given(spec), **more}),
    "model_validate": lambda spec, more: type(spec).model_validate({**given(spec), **more}),
    "model_validate_json": lambda spec, more: type(spec).model_validate_json(json.dumps({**given(spec), **more})),
    "model_construct": lambda spec, more: type(spec).model_construct(**{**given(spec), **more}),
    "model_copy": lambda spec, more: spec.model_copy(update=more),
    "model_copy, deep": lambda spec, more: spec.model_copy(update=more, deep=True),
    "copy": lambda spec, more: spec.copy(update=more),
}
if sys.version_info >= (3, 13):
    MAKES["copy.replace"] = lambda spec, more: copy.replace(spec, **more)


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_an_unknown_field_is_refused(spec: Spec, make: Make) -> None:
    assert make(spec, {}) == spec
    with pytest.raises(ValueError, match="lr"):
        make(spec, {"lr": 0.2})


INVALID: tuple[tuple[Spec, dict[str, Any], str], ...] = (
    (DIGITS, {"label_noise": 1.5}, "label_noise"),
    (Recipe(), {"learning_rate": "fast"}, "learning_rate"),
    (Recipe(), {"workers": 3}, "workers = 3 do not divide"),
    (LABEL, {"temperature": 4}, "does not use temperature"),
    (CHAIN.generations[1], {"teachers": ()}, "needs a teacher"),
    (CHAIN.generations[1], {"recipe": {"epochs": 0}}, "epochs"),
    (CHAIN, {"generations": ()}, "generations"),
)


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize(("spec", "change", "sentence"), INVALID, ids=lambda value: str(value)[:40])
def test_an_invalid_value_is_refused(spec: Spec, change: dict[str, Any], sentence: str, make: Make) -> None:
    with pytest.raises(ValueError, match=sentence):
        make(spec, change)


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_a_source_tells_the_user(make: Make) -> None:
    with pytest.raises(UserError, match="unknown task 'nonsense'"):
        make(Source(name="digits"), {"name": "nonsense"})


def test_an_unknown_field_is_named_with_its_value_and_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"^lr = 0\.2 is no field of Objective; allowed are name, temperature, .*\w$"):
        LABEL.model_copy(update={"label_weight": 2, "lr": 0.2})


CHANGES: dict[str, Any] = {
    "seed": 7,
    "augmentation_seed": 3,
    "recipe": Recipe(learning_rate=1, batch_size=256.0),
    "task": DIGITS.model_copy(update={"split_seed": 1, "label_noise": 0}),
    "network_arguments": {"width": 2.0, "deep": [{"b": None}]},
    "teachers": ["a" * 64],
}


@pytest.mark.parametrize("name", GENERATIONS)
@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_is_written_as_what_is_made_anew(name: str, deep: bool) -> None:
    made = GENERATIONS[name]
    for field, value in CHANGES.items():
        if field != "teachers" or made.teachers:
            key = made.key
            copied = made.model_copy(update={field: value}, deep=deep)
            anew = Generation.model_validate({**given(made), field: value})
            assert (copied.to_json(), copied.key) == (anew.to_json(), anew.key), field
            assert copied.model_fields_set == made.model_fields_set | {field}
            assert (copied.key != key, made.key) == (True, key)
    assert made.model_copy(deep=deep).key == made.key


def test_a_copy_keeps_what_is_not_changed() -> None:
    made = CHAIN.generations[1]
    assert made.model_copy(update={"seed": 3}).recipe is made.recipe
    deep = made.model_copy(update={"seed": 3}, deep=True)
    assert (deep.recipe == made.recipe, deep.recipe is made.recipe) == (True, False)
    assert Recipe().model_copy(update={"epochs": 200}).to_json() == "{}", "at its default it is not written"


def test_a_copy_that_needs_no_teacher_forgets_how_they_answer() -> None:
    cached = CHAIN.generations[1].model_copy(update={"recipe": Recipe(teacher_outputs="cached")})
    assert cached.recipe.teacher_outputs == "cached"
    alone = cached.model_copy(update={"objective": LABEL, "teachers": ()})
    assert alone.recipe.teacher_outputs == "online"
