"""The recipe's schedule and what it refuses."""

from fractions import Fraction

import pytest
from pydantic import ValidationError

from ban_ray.specs import Recipe


@pytest.mark.parametrize(
    ("epoch", "drops"), [(0, 0), (59, 0), (60, 1), (61, 1), (119, 1), (120, 2), (159, 2), (160, 3), (199, 3)]
)
def test_the_papers_schedule(epoch: int, drops: int) -> None:
    """0.1 times 0.2 at 60, 120 and 160 of 200 epochs, counted from 0."""
    literal = {0: 0.1, 1: 0.02, 2: 0.004, 3: 0.0008}
    assert Recipe(epochs=200).learning_rate_at(epoch) == pytest.approx(literal[drops], rel=1e-12)


PAPER = ("0.3", "0.6", "0.8")


@pytest.mark.parametrize("parts", [PAPER, ("0.1", "0.7", "0.9"), ("0.55", "0.57", "0.58"), ("0.29",)])
def test_drops_are_exact_for_every_number_of_epochs(parts: tuple[str, ...]) -> None:
    """Binary fractions would move a drop: 0.57 * 100 is 56.99999999999999, 0.55 * 100 is 55.00000000000001."""
    exact = [Fraction(part) for part in parts]
    for epochs in range(1, 401 if parts == PAPER else 201):
        recipe = Recipe(epochs=epochs, learning_rate=1, learning_rate_factor=0.5, learning_rate_drops=parts)
        rates = [recipe.learning_rate_at(epoch) for epoch in range(epochs)]
        assert rates == [0.5 ** sum(epoch >= part * epochs for part in exact) for epoch in range(epochs)], epochs


def test_without_drops_the_rate_stays() -> None:
    assert {Recipe(epochs=9, learning_rate_drops=()).learning_rate_at(epoch) for epoch in range(9)} == {0.1}


@pytest.mark.parametrize(
    ("plateau", "perplexities", "drops"),
    [
        (0, [], 0),
        (0, [9], 0),
        (0, [9, 8, 7], 0),
        (0, [9, 9], 1),
        (0, [9, 10, 9.5, 9.4], 1),
        (0, [9, float("inf"), float("inf"), 8], 2),
        (0.5, [9, 8.5, 8, 7.6], 1),
        (0.5, [9, 8.75, 8, 8], 2),
    ],
)
def test_the_language_models_schedule(plateau: float, perplexities: list[float], drops: int) -> None:
    """A drop for each epoch that did not fall, or by less than it should, against the one before it."""
    recipe = Recipe(learning_rate=2, learning_rate_drops=(), learning_rate_factor=0.5, plateau=plateau)
    assert recipe.learning_rate_at(len(perplexities), perplexities) == 2 * 0.5**drops
    # What came later, as a resume has it, changes no earlier epoch.
    assert recipe.learning_rate_at(1, perplexities) == 2


@pytest.mark.parametrize("workers", [1, 2, 4, 64, 128])
def test_workers_that_divide_the_batch(workers: int) -> None:
    assert Recipe(workers=workers).workers == workers


@pytest.mark.parametrize("workers", [3, 129, 256])
def test_workers_that_do_not_divide_the_batch_are_refused_with_both_numbers(workers: int) -> None:
    with pytest.raises(ValidationError, match=rf"workers = {workers} .*batch size 128"):
        Recipe(workers=workers)


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate_drops": (0.6, 0.3)},
        {"learning_rate_drops": (0.3, 0.3)},
        {"learning_rate_drops": (0.0,)},
        {"learning_rate_drops": (1.0,)},
        {"learning_rate_factor": 0},
        {"unroll": 0},
        {"clip": 0},
        {"plateau": -1},
        {"momentum": 1},
        {"weight_decay": -1e-9},
        {"precision": "fp16"},
        {"workers": 0},
        {"nesterov": True},
    ],
)
def test_recipes_that_make_no_sense(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(fields)
