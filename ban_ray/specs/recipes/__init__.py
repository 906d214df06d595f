"""Named recipes, one file each: a module ``some_name`` of this folder has the recipe ``some-name`` as its ``RECIPE``.

A new recipe is a new file here, whose docstring says from where its values are; `tests/contracts/test_recipes.py` runs
over it.
"""

import importlib
import pkgutil

from ban_ray.specs.recipe import Recipe


def find() -> dict[str, Recipe]:
    """The recipes by their names, from the files of this folder."""
    return {
        module.name.replace("_", "-"): importlib.import_module(f"{__name__}.{module.name}").RECIPE
        for module in pkgutil.iter_modules(__path__)
    }


RECIPES = find()
