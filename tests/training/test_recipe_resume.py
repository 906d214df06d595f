"""A resume gives the bits of an undisturbed run for every optimiser, schedule and averaging."""

from typing import Any

import pytest
import torch

from ban_ray.tasks.image_data import ImageData
from ban_ray.training import train
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher, same_bits, same_training, train_with_states

CASES: dict[str, dict[str, Any]] = {
    "adam": {"optimiser": "adam", "learning_rate": 1e-3, "schedule": "linear", "averaging": "ema"},
    "adamw": {
        "optimiser": "adamw",
        "learning_rate": 1e-3,
        "decay": "matrices",
        "schedule": "cosine",
        "warm_up_epochs": 1.5,
    },
    "nadam": {"optimiser": "nadam", "learning_rate": 1e-3, "schedule": "wsd", "decay_part": 0.5, "averaging": "swa"},
    "radam": {"optimiser": "radam", "learning_rate": 1e-3, "schedule": "constant", "warm_up_epochs": 0.5},
    "rmsprop": {"optimiser": "rmsprop", "learning_rate": 1e-3, "optimiser_arguments": {"centered": True}},
    "adagrad": {"optimiser": "adagrad", "learning_rate": 1e-2, "optimiser_arguments": {"lr_decay": 0.1}},
    "muon": {"optimiser": "muon", "learning_rate": 1e-2, "schedule": "cosine", "averaging": "swa", "swa_start": 0.0},
    "steps with a warm-up": {"warm_up_epochs": 1, "learning_rate_drops": (0.5,), "averaging": "ema", "clip": 1.0},
    "early stopping": {"averaging": "best", "learning_rate": 0.5},
    "a stop": {"stop_epoch": 2, "schedule": "cosine", "averaging": "ema"},
    "micro-batches": {"micro_batches": 4, "optimiser": "adamw", "learning_rate": 1e-3, "averaging": "swa"},
}


@pytest.mark.parametrize("case", CASES)
def test_resume_from_every_epoch(data: ImageData, make_generation: MakeGeneration, case: str) -> None:
    """Of a network with batch norm and dropout."""
    generation = make_generation(
        "cwtm", network="wide-resnet-10-1", epochs=3, batch_size=100, teachers=("1" * 64,), **CASES[case]
    )
    teacher = a_teacher(data)
    whole, states = train_with_states(generation, data, teacher)
    for state in states:
        torch.rand(state["epoch"])
        assert same_training(whole, train(generation, teacher, data, CPU, state=state)), state["epoch"]
    assert ("average" in states[0]) == (generation.recipe.averaging != "none")


@pytest.mark.parametrize("case", ["adam", "muon"])
def test_every_part_of_a_state_is_needed(data: ImageData, make_generation: MakeGeneration, case: str) -> None:
    """So that a resume which forgets the optimiser's state or the average is noticed above."""
    generation = make_generation(epochs=3, batch_size=100, **CASES[case])
    whole, (state, *_) = train_with_states(generation, data)
    empty: dict[str, Any] = {"optimisers": [{} for _ in state["optimiser"]["optimisers"]]}
    average = {
        "count": state["average"]["count"],
        "tensors": {name: tensor + 1 for name, tensor in state["average"]["tensors"].items()},
    }
    for change in ({"optimiser": empty}, {"average": average}):
        other = train(generation, None, data, CPU, state={**state, **change})
        assert not same_bits(whole.weights, other.weights), change.keys()
    if case == "adam":
        forgotten = {
            "optimisers": [{number: dict(each) for number, each in state["optimiser"]["optimisers"][0].items()}]
        }
        for each in forgotten["optimisers"][0].values():
            each["step"] = torch.ones_like(each["step"])
        other = train(generation, None, data, CPU, state={**state, "optimiser": forgotten})
        assert not same_bits(whole.weights, other.weights), "counts of steps"


def test_the_history_has_the_last_rate_of_an_epoch(data: ImageData, make_generation: MakeGeneration) -> None:
    generation = make_generation(epochs=4, batch_size=100, schedule="linear", warm_up_epochs=1, learning_rate=0.1)
    rates = [record["learning_rate"] for record in train(generation, None, data, CPU).history]
    assert rates == pytest.approx([0.1, 0.1 * 7 / 9, 0.1 * 4 / 9, 0.1 / 9])
