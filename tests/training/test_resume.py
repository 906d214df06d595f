"""A resume from any epoch gives the bits of an undisturbed run."""

import pytest
import torch

from ban_ray.tasks.image_data import ImageData
from ban_ray.training import State, train
from ban_ray.training.checkpoint import from_bytes, to_bytes
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher, same_bits, same_training, train_with_states, watch_batches

CASES = {
    "label": ("label", "densenet-bc-10-4", "fp32", "none"),
    "dropout": ("ban+l", "wide-resnet-10-1", "fp32", "none"),
    "permutations": ("dkpp", "densenet-bc-10-4", "fp32", "none"),
    "half precision": ("cwtm", "densenet-bc-10-4", "bf16", "none"),
    "frozen layers": ("ban", "densenet-bc-10-6", "fp32", "frozen"),
}


@pytest.mark.parametrize("case", CASES)
def test_resume_from_every_epoch(data: ImageData, make_generation: MakeGeneration, case: str) -> None:
    objective, network, precision, shared = CASES[case]
    taught = objective != "label"
    generation = make_generation(
        objective,
        network=network,
        precision=precision,
        epochs=3,
        batch_size=100,
        learning_rate_drops=(0.5,),
        teachers=("1" * 64,) if taught else (),
        shared_layers=shared,
    )
    teacher = a_teacher(data) if taught else None
    whole, states = train_with_states(generation, data, teacher)
    assert [state["epoch"] for state in states] == [1, 2, 3]
    for state in states:
        torch.rand(state["epoch"])
        resumed = train(generation, teacher, data, CPU, state=state)
        assert same_training(whole, resumed), state["epoch"]


def test_a_resume_trains_only_what_is_left(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = make_generation(epochs=3, batch_size=100)
    _, states = train_with_states(generation, data)
    seen = watch_batches(monkeypatch)
    epochs: list[int] = []
    train(generation, None, data, CPU, state=states[1], after_epoch=lambda state: epochs.append(state["epoch"]))
    assert epochs == [3]
    assert len(seen) == 3
    seen.clear()
    train(generation, None, data, CPU, state=states[2])
    assert not seen


def test_it_tells_after_which_epochs_it_was_resumed(data: ImageData, make_generation: MakeGeneration) -> None:
    generation = make_generation(epochs=4, batch_size=100)
    whole, (first, *_) = train_with_states(generation, data)
    assert whole.resumed == []
    later: list[State] = []
    assert train(generation, None, data, CPU, state=first, after_epoch=later.append).resumed == [1]
    assert train(generation, None, data, CPU, state=later[1]).resumed == [1, 3]
    without = {name: part for name, part in first.items() if name != "resumed"}
    assert train(generation, None, data, CPU, state=without).resumed == [1]


def test_a_state_serves_twice(data: ImageData, make_generation: MakeGeneration) -> None:
    """The same arguments give the same bits, so an argument must not be written to."""
    generation = make_generation(epochs=2, batch_size=100)
    _, (state, _) = train_with_states(generation, data)
    first = train(generation, None, data, CPU, state=state)
    assert same_training(first, train(generation, None, data, CPU, state=state))


def test_every_part_of_a_state_is_needed(data: ImageData, make_generation: MakeGeneration) -> None:
    """So that a resume which forgets the momentum or the statistics of batch norm is noticed above."""
    generation = make_generation(epochs=3, batch_size=100)
    whole, (state, *_) = train_with_states(generation, data)
    assert set(state) == {"epoch", "model", "optimiser", "history", "resumed"}
    still = {"velocities": [torch.zeros_like(velocity) for velocity in state["optimiser"]["velocities"]]}
    assert not same_bits(whole.weights, train(generation, None, data, CPU, state={**state, "optimiser": still}).weights)
    reset = {
        name: torch.zeros_like(tensor) if "running_mean" in name else tensor for name, tensor in state["model"].items()
    }
    assert not same_bits(whole.weights, train(generation, None, data, CPU, state={**state, "model": reset}).weights)


def test_a_state_is_read_without_running_code(data: ImageData, make_generation: MakeGeneration) -> None:
    import pickle

    _, (state, *_) = train_with_states(make_generation(), data)
    again = from_bytes(to_bytes(state))
    assert same_bits(again["model"], state["model"])
    assert again["history"] == state["history"]
    with pytest.raises(pickle.UnpicklingError):
        from_bytes(to_bytes({"epoch": pytest.fail}))
