"""The contract of every named recipe, and of an example that one more file adds."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from ban_ray.specs import Recipe, recipes
from ban_ray.specs.recipes import RECIPES

FOLDER = Path(recipes.__file__).parent
EXAMPLE = '''"""Half of the usual epochs (nobody 2026)."""

from ban_ray.specs.recipe import Recipe

RECIPE = Recipe(epochs=100)
'''


def test_every_file_is_a_recipe_of_its_name() -> None:
    assert {path.stem.replace("_", "-") for path in FOLDER.glob("*.py")} - {"--init--"} == RECIPES.keys()
    assert RECIPES["wide-resnet"] == Recipe(), "the default has a name"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_value_with_a_source(name: str) -> None:
    recipe, module = RECIPES[name], importlib.import_module(f"{recipes.__name__}.{name.replace('-', '_')}")
    assert re.search(r"\b20\d\d\b", module.__doc__ or ""), "the docstring names a publication"
    assert type(recipe) is Recipe
    assert Recipe.model_validate_json(recipe.to_json()) == recipe
    assert Recipe.model_validate(recipe.model_dump()) == recipe


def test_no_two_names_for_one_recipe() -> None:
    assert len({recipe.to_json() for recipe in RECIPES.values()}) == len(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_rates_rise_once_and_fall_afterwards(name: str) -> None:
    """What a typing error in a schedule's numbers would break."""
    recipe, steps = RECIPES[name], 7
    rates = [
        recipe.learning_rate_at(epoch, step=step, steps=steps)
        for epoch in range(recipe.epochs)
        for step in range(steps)
    ]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(recipe.learning_rate)
    assert top <= 0.2 * len(rates)
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    assert rates[-1] > 0


def test_one_more_file_is_one_more_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_length.py").write_text(EXAMPLE)
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path)])
    found = recipes.find()
    del sys.modules[f"{recipes.__name__}.half_length"]
    assert found == {**RECIPES, "half-length": Recipe(epochs=100)}
