"""Scales and recipes that several spaces share: small noisy digits, and the papers' settings."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from ban_ray.specs.objective import Objective
from ban_ray.specs.parameters import Parameters
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.recipes import RECIPES
from ban_ray.specs.space import Configuration, Scale

LAPTOP_RECIPE = Recipe(epochs=45, batch_size=64)
"""The same for every space, so that they find each other's teachers in the population. 45 epochs of batch 64 take
about as long as 30 of batch 32, and give the baseline time to memorise noise, which its students then do not."""

LSTM = RECIPES["lstm"]

CNN_LSTM = RECIPES["cnn-lstm"]

LAPTOP_LSTM = LSTM.model_copy(update={"epochs": 15, "batch_size": 20, "clip": 5.0})
"""The recipe of small language models on texts of a megabyte."""


def papers_recipe(network: str) -> Recipe:
    """The recipe by which the papers train a network of this family."""
    families = {"lstm-": LSTM, "cnn-lstm": CNN_LSTM}
    return next((recipe for family, recipe in families.items() if network.startswith(family)), Recipe())


_NOISY_DIGITS = partial(Scale, task="digits", label_noise=0.3, recipe=LAPTOP_RECIPE)


def noisy_digits(objective: str, configurations: Sequence[Configuration], *, generations: int = 1) -> Scale:
    """A scale `laptop`: the embedded digits with 30 % of the training labels replaced, three seeds."""
    return _NOISY_DIGITS(
        objective=Objective(name=objective),
        generations=generations,
        seeds=(0, 1, 2),
        configurations=tuple(configurations),
        recipes={"tokens": LAPTOP_LSTM},
    )


def noisy_digits_sampled(
    objective: str, parameters: Parameters, *, samples: int, generations: int = 1, max_parameters: int | None = None
) -> Scale:
    """`noisy_digits` for a sampler, with one seed: another configuration tells it more than another seed."""
    return _NOISY_DIGITS(
        objective=Objective(name=objective),
        generations=generations,
        seeds=(0,),
        parameters=parameters,
        samples=samples,
        max_parameters=max_parameters,
    )


def papers(
    task: Literal["cifar10", "cifar100"],
    objective: str,
    configurations: Sequence[Configuration],
    *,
    generations: int = 1,
) -> Scale:
    """A scale `paper`: Wide-ResNet's recipe, all samples trained on, one seed."""
    return Scale(
        task=task,
        recipe=Recipe(),
        objective=Objective(name=objective),
        generations=generations,
        seeds=(0,),
        protocol="paper",
        configurations=tuple(configurations),
    )
