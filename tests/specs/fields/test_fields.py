"""Fields by name: what is found, how texts are read, and what a context then holds."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, JsonValue

from ban_ray.errors import UserError
from ban_ray.specs import Generation, Objective, Recipe, SpaceContext, Task
from ban_ray.specs.base import Spec
from ban_ray.specs.fields import names
from ban_ray.specs.fields.context import value_in, with_settings
from ban_ray.specs.fields.names import field_names, find_field
from ban_ray.specs.fields.values import as_text, read_value

TASK = Task(name="digits", fingerprint="0" * 64)


class Averaging(Spec):
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.999


class WiderRecipe(Recipe):
    """A recipe with fields of other kinds than today's."""

    manner: Literal["one", "two"] = "one"
    further_arguments: dict[str, JsonValue] = Field(default_factory=dict)
    limits: Mapping[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    mean_of: Averaging | None = Averaging()
    is_odd: bool = True
    note: str | None = None


def context(recipe: Recipe | None = None, objective: str = "ban+l") -> SpaceContext:
    return SpaceContext("laptop", TASK, recipe or Recipe(), Objective.parse(objective), 2)


def read(name: str, value: JsonValue) -> Any:
    return read_value(find_field(name), value)


@pytest.fixture
def wider(monkeypatch: pytest.MonkeyPatch) -> SpaceContext:
    monkeypatch.setattr(names, "MODELS", {"recipe": WiderRecipe, "objective": Objective})
    return context(WiderRecipe(further_arguments={"eps": 1e-8, "betas": [0.9, 0.99]}))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("recipe.learning_rate", "1e-3", 1e-3),
        ("recipe.learning_rate", "1", 1.0),
        ("recipe.epochs", "1e2", 100),
        ("recipe.epochs", "1_000", 1000),
        ("recipe.clip", "none", None),
        ("recipe.clip", "null", None),
        ("recipe.clip", "2", 2.0),
        ("recipe.learning_rate_drops", "0.5,0.75", (0.5, 0.75)),
        ("recipe.learning_rate_drops", "[0.5, 0.75]", (0.5, 0.75)),
        ("recipe.learning_rate_drops", "0.5", (0.5,)),
        ("recipe.learning_rate_drops", "", ()),
        ("recipe.precision", "bf16", "bf16"),
        ("objective.name", "ban+l", "ban+l"),
    ],
)
def test_a_text_is_read_as_the_field_takes_it(name: str, text: str, value: object) -> None:
    read_back = read(name, text)
    assert read_back == value
    assert type(read_back) is type(value)
    if not isinstance(value, tuple):
        assert read(name, as_text(read_back)) == value


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("recipe.learning_rate", "abc", "valid number"),
        ("recipe.learning_rate", "true", "valid number"),
        ("recipe.learning_rate", True, "valid number"),
        ("recipe.learning_rate", "nan", "finite number"),
        ("recipe.learning_rate", "0", "greater than 0"),
        ("recipe.epochs", "1.5", "fractional part"),
        ("recipe.epochs", [1], "valid integer"),
        ("recipe.learning_rate_drops", "0.5,2", "less than 1"),
        ("recipe.precision", "fp8", "'fp32', 'tf32' or 'bf16'"),
        ("objective.name", "kd", "unknown objective 'kd'; allowed are ban"),
        ("recipe.lr", "1", "no field 'recipe.lr'; the nearest: .*; allowed are recipe.epochs"),
        ("recipe.learning_rat", "1", "the nearest: recipe.learning_rate"),
        ("recipe", "1", "no field 'recipe'"),
        ("recipe..epochs", "1", "no field"),
        ("recipe.epochs.x", "1", "no field"),
        ("recipe.__dict__", "1", "no field"),
        ("task.label_noise", "0.1", "an option of its own: --label-noise"),
        ("task.name", "digits", "an option of its own: --task"),
        ("recipe.teacher_outputs", "cached", "an option of its own: --teacher-cache"),
    ],
)
def test_what_is_no_field_or_no_value_is_refused(name: str, value: JsonValue, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read(name, value)


def test_fields_of_any_kind_are_found_and_read(wider: SpaceContext) -> None:
    assert {"recipe.mean_of.decay", "recipe.further_arguments", "recipe.is_odd"} <= set(field_names())
    assert read("recipe.mean_of.decay", "0.9") == 0.9
    assert read("recipe.is_odd", "false") is False
    assert read("recipe.note", "0.5") == "0.5"
    assert read("recipe.further_arguments.eps", "1e-6") == 1e-6
    assert read("recipe.further_arguments.betas", "0.9,0.999") == [0.9, 0.999]
    assert read("recipe.further_arguments.kind", "fused") == "fused"
    assert read("recipe.further_arguments", '{"eps": 1}') == {"eps": 1}
    assert read("recipe.further_arguments.a.b", "1") == 1
    with pytest.raises(UserError, match="greater than 0"):
        read("recipe.limits.x", "-1")
    with pytest.raises(UserError, match="less than 1"):
        read("recipe.mean_of.decay", "1")


def test_an_entry_of_a_mapping_leaves_the_others(wider: SpaceContext) -> None:
    changed = with_settings(
        wider,
        {"recipe.further_arguments.eps": 1e-6, "recipe.further_arguments.a.b": 1, "recipe.mean_of.decay": 0.5},
    )
    arguments = {"eps": 1e-6, "betas": [0.9, 0.99], "a": {"b": 1}}
    assert changed.recipe.model_dump()["further_arguments"] == arguments
    assert changed.recipe_changes["further_arguments"] == arguments
    assert value_in(changed, "recipe.mean_of.decay") == 0.5
    assert value_in(changed, "recipe.further_arguments.a.c") is None
    merged = with_settings(wider, {"recipe.further_arguments": {"eps": 0}}).recipe.model_dump()
    assert merged["further_arguments"] == {"eps": 0, "betas": [0.9, 0.99]}
    assert with_settings(wider, {"recipe.further_arguments": {}}).recipe.model_dump()["further_arguments"] == {}


def test_a_key_is_the_same_however_the_value_came() -> None:
    changed = with_settings(context(), {"recipe.learning_rate": 1.0, "recipe.clip": None, "objective.temperature": 4})
    written = Generation(
        task=TASK,
        network="densenet-bc-10-4",
        recipe=Recipe(learning_rate=1),
        objective=Objective.parse("ban+l:temperature=4"),
        seed=1,
        teachers=("1" * 64,),
    )
    set_here = written.model_copy(update={"recipe": changed.recipe, "objective": changed.objective})
    assert set_here.key == written.key


def test_a_field_at_its_default_leaves_the_key() -> None:
    same = with_settings(context(), {f"recipe.{name}": getattr(Recipe(), name) for name in Recipe.model_fields})
    assert same.recipe.model_dump(exclude_defaults=True) == {}


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ("ban+l", {"objective.temperature": 4}, "ban+l:temperature=4"),
        ("ban:temperature=4", {"objective.name": "ban+l"}, "ban+l:temperature=4"),
        ("ban:temperature=4", {"objective.name": "cwtm"}, "cwtm"),
        ("ban+l:label_weight=2", {"objective.name": "ban", "objective.temperature": 3}, "ban:temperature=3"),
    ],
)
def test_another_objective_keeps_the_weights_it_uses(before: str, values: dict[str, Any], after: str) -> None:
    assert str(with_settings(context(objective=before), values).objective) == after


def test_a_weight_that_the_objective_does_not_use_is_refused() -> None:
    with pytest.raises(ValueError, match="objective cwtm does not use temperature"):
        with_settings(context(objective="cwtm"), {"objective.temperature": 4})
