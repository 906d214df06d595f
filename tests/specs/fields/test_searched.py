"""Fields that are searched: ranges and lists as texts, and spaces with these parameters beside their own."""

import random

import pytest
from pydantic import JsonValue

from ban_ray.errors import UserError
from ban_ray.specs import Network, Objective, Recipe, SpaceContext, Task
from ban_ray.specs.fields.ranges import read_parameter
from ban_ray.specs.fields.searched import DEFAULT_SAMPLES, with_searched
from ban_ray.specs.parameters import (
    Choice,
    Configuration,
    FloatRange,
    IntRange,
    Parameter,
    Parameters,
    is_active,
    parameters_as_json,
    sample,
)
from search_spaces import chain, densenet_search, does_it_help, recipe_search, wide_resnet_teachers
from search_spaces.densenet_grid import SPACE as GRID

TASK = Task(name="digits", fingerprint="0" * 64)


@pytest.mark.parametrize(
    ("name", "values", "parameter"),
    [
        ("recipe.weight_decay", "1e-4..1e-1:log", FloatRange(1e-4, 1e-1, log=True)),
        ("recipe.learning_rate", "1..2", FloatRange(1, 2)),
        ("recipe.weight_decay", "0..1:step=0.25", FloatRange(0, 1, 0.25)),
        ("recipe.batch_size", "32..256:log", IntRange(32, 256, log=True)),
        ("recipe.batch_size", "32..64:step=8", IntRange(32, 64, 8)),
        ("recipe.epochs", "2..5", IntRange(2, 5)),
        ("recipe.clip", "1..5", FloatRange(1, 5)),
        ("recipe.clip", "none,1,5", Choice(("none", 1.0, 5.0))),
        ("recipe.precision", "fp32,bf16", Choice(("fp32", "bf16"))),
        ("recipe.precision", ["fp32", "bf16"], Choice(("fp32", "bf16"))),
        ("recipe.epochs", [3, 1], Choice((3, 1))),
        ("recipe.learning_rate_drops", "[0.5],[0.3,0.6]", Choice(("[0.5]", "[0.3, 0.6]"))),
        ("objective.name", "ban,ban+l", Choice(("ban", "ban+l"))),
    ],
)
def test_a_text_is_a_parameter(name: str, values: JsonValue, parameter: Parameter) -> None:
    read = read_parameter(name, values)
    assert read == parameter
    assert parameters_as_json({name: read}) == parameters_as_json({name: parameter})


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("recipe.weight_decay", "0.1..0.01", "from the smaller number to the larger, and 0.1 is not below 0.01"),
        ("recipe.weight_decay", "0.1..0.1", "0.1 is not below 0.1"),
        ("recipe.weight_decay", "0..1:log", "starts above 0"),
        ("recipe.weight_decay", "1..2:log:step=0.5", "has no step"),
        ("recipe.weight_decay", "-1..1", "greater than or equal to 0"),
        ("recipe.weight_decay", "0..1:step=2", "no step of 2 fits"),
        ("recipe.weight_decay", "0..1:step=0", "':step=0' is no step above 0"),
        ("recipe.weight_decay", "0..1:lin", "':lin' is no scale; allowed are a..b, a..b:log"),
        ("recipe.weight_decay", "0..1:", "':' is no scale"),
        ("recipe.weight_decay", "0..1:step=1e-9", "more than 100,000 values"),
        ("recipe.epochs", "1..1000000000", "more than 100,000 values"),
        ("recipe.epochs", "1..9:step=0.5", "leaves the whole numbers"),
        ("recipe.epochs", "0.5..9", "valid integer"),
        ("recipe.precision", "fp32..bf16", "a range needs a field of numbers"),
        ("recipe.precision", "fp32", "at least 2 different values"),
        ("recipe.precision", "fp32,fp32", "at least 2 different values"),
        ("recipe.precision", "fp32,fp8", "'fp32', 'tf32' or 'bf16'"),
        ("recipe.precision", 3, "a text or a list"),
        ("recipe.workers", "1,2", "the same number of workers"),
        ("recipe.nothing", "1,2", "no field 'recipe.nothing'"),
    ],
)
def test_what_is_no_parameter_is_refused(name: str, values: JsonValue, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read_parameter(name, values)


def test_whole_numbers_by_their_logarithm() -> None:
    numbers = IntRange(1, 64, log=True)
    drawn = [int(numbers.sample(random.Random(seed))) for seed in range(2000)]
    assert {1, 64} <= set(drawn) <= set(range(1, 65))
    assert 0.45 < sum(number <= 5 for number in drawn) / len(drawn) < 0.55
    with pytest.raises(ValueError, match="above 0"):
        IntRange(0, 4, log=True)
    assert "log" not in parameters_as_json({"depth": IntRange(1, 4)})[0], "searches of older versions keep their name"


def test_a_list_becomes_choices() -> None:
    scale = wide_resnet_teachers.SPACE.scales["laptop"]
    _, searched = with_searched(wide_resnet_teachers.SPACE, scale, {"recipe.clip": FloatRange(1, 2)})
    assert not searched.configurations and searched.samples == DEFAULT_SAMPLES
    assert searched.parameters["teacher"] == Choice(("wide-resnet-10-1", "wide-resnet-16-1"))
    assert list(searched.parameters) == ["teacher", "student", "recipe.clip"]
    with pytest.raises(UserError, match="lists 4 configurations of depth, growth; --only chooses"):
        with_searched(GRID, GRID.scales["paper"], {"recipe.clip": FloatRange(1, 2)})
    with_searched(GRID, GRID.scales["paper"].only({"depth": ["112"]}), {"recipe.clip": FloatRange(1, 2)})


def test_a_sampled_space_keeps_its_own_parameters_and_samples() -> None:
    scale = densenet_search.SPACE.scales["laptop"]
    _, searched = with_searched(densenet_search.SPACE, scale, {"recipe.clip": FloatRange(1, 2)})
    assert list(searched.parameters) == [*scale.parameters, "recipe.clip"]
    assert searched.max_parameters == scale.max_parameters


def test_chains_are_made_in_the_changed_context() -> None:
    """By the space's own function: the configuration's other values, its row, and every generation's recipe."""
    parameters: Parameters = {
        "recipe.learning_rate": FloatRange(0.01, 0.3),
        "recipe.learning_rate_drops": read_parameter("recipe.learning_rate_drops", "[0.5],[0.3,0.6]"),
        "recipe.clip": read_parameter("recipe.clip", "none,1"),
    }
    scale = does_it_help.SPACE.scales["laptop"]
    space, _ = with_searched(does_it_help.SPACE, scale, parameters)
    context = SpaceContext("laptop", TASK, Recipe(epochs=3), Objective(name="ban+l"), 1, network=Network("net"))
    configuration: Configuration = {
        "objective": "ban",
        "recipe.learning_rate": 0.0123456,
        "recipe.learning_rate_drops": "[0.5]",
        "recipe.clip": "none",
    }
    made = space.chain(configuration, context, 0)
    recipe = Recipe(epochs=3, learning_rate=0.0123456, learning_rate_drops=(0.5,))
    assert [generation.recipe for generation in made.generations] == [recipe, recipe]
    assert str(made.generations[1].objective) == "ban"
    position = space.place(configuration, made)
    assert position.row == "ban learning rate 0.01235 learning rate drops [0.5] clip none"
    assert position.network == "net" and position.columns == ("baseline", "BAN-1")


def test_weights_exist_where_the_objective_uses_them() -> None:
    parameters: Parameters = {
        "objective.temperature": FloatRange(1, 8),
        "objective.name": Choice(("ban", "cwtm", "dkpp")),
    }
    _, scale = with_searched(chain.SPACE, chain.SPACE.scales["laptop"], parameters)
    assert list(scale.parameters) == ["objective.name", "objective.temperature"]
    temperature = scale.parameters["objective.temperature"]
    assert [is_active(temperature, {"objective.name": name}) for name in ("ban", "cwtm", "dkpp")] == [
        True,
        False,
        False,
    ]
    for seed in range(20):
        configuration = sample(scale.parameters, random.Random(seed))
        assert ("objective.temperature" in configuration) == (configuration["objective.name"] == "ban")
    with pytest.raises(UserError, match="none of cwtm, dkpp uses temperature"):
        with_searched(
            chain.SPACE, chain.SPACE.scales["laptop"], {**parameters, "objective.name": Choice(("cwtm", "dkpp"))}
        )


def test_recipe_search_says_what_it_chooses() -> None:
    assert set(recipe_search.RECIPE) < recipe_search.SPACE.chooses
