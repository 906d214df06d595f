"""The moving average of the network's own weights as its teacher."""

import pytest
import torch
from torch import Tensor

from ban_ray.tasks.image_data import ImageData
from ban_ray.training import train
from ban_ray.training.optimizer import SGD
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import initial_network, same_bits, same_training, train_with_states, watch_teachers

NORMS = "wide-resnet-10-1"


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_it_is_the_literal_average_before_each_step(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch, decay: float
) -> None:
    """`watch_teachers` refuses a teacher in train mode."""
    generation = make_generation(f"self-ema:teacher_decay={decay:g}", network=NORMS, epochs=2, batch_size=100)
    taught = watch_teachers(monkeypatch)
    weights: list[list[Tensor]] = []
    averages: list[list[Tensor]] = []
    real = SGD.step

    def spy(self: SGD, learning_rate: float | Tensor) -> None:
        weights.append([parameter.detach().clone() for parameter in self.parameters])
        averages.append([parameter.clone() for parameter in taught[-1][0].networks[0].parameters()])
        real(self, learning_rate)

    monkeypatch.setattr(SGD, "step", spy)
    trained = train(generation, None, data, CPU)
    assert len(taught) == len(weights) == 6
    first = [parameter.detach() for parameter in initial_network(generation, data).parameters()]
    average = [parameter.double() for parameter in first]
    assert all(map(torch.equal, averages[0], first))
    for step, now in enumerate(weights[1:], start=1):
        kept = min(decay, step / (9 + step))
        average = [kept * mean + (1 - kept) * new.double() for mean, new in zip(average, now, strict=True)]
        for expected, found in zip(average, averages[step], strict=True):
            torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    assert trained.history[-1]["teacher_entropy"] is not None
    names = [name for name, _ in initial_network(generation, data).named_parameters()]
    assert not torch.equal(trained.weights[names[0]], averages[-1][0]), "the network itself is published"


@pytest.mark.parametrize("objective", ["self-ema", "beta"])
@pytest.mark.parametrize("averaging", ["none", "ema"])
def test_resume_from_every_epoch(
    data: ImageData, make_generation: MakeGeneration, objective: str, averaging: str
) -> None:
    generation = make_generation(objective, network=NORMS, epochs=3, batch_size=100, averaging=averaging)
    whole, states = train_with_states(generation, data)
    for state in states:
        torch.rand(state["epoch"])
        assert same_training(whole, train(generation, None, data, CPU, state=state)), state["epoch"]
    state = states[0]
    tensors = {name: tensor + 1 for name, tensor in state["own_average"]["tensors"].items()}
    other = train(generation, None, data, CPU, state={**state, "own_average": {"count": 3, "tensors": tensors}})
    assert not same_bits(whole.weights, other.weights), "it is needed"


def test_the_decay_matters(data: ImageData, make_generation: MakeGeneration) -> None:
    for objective in ("self-ema", "beta"):
        results = [
            train(make_generation(f"{objective}:teacher_decay={decay}", batch_size=30), None, data, CPU).weights
            for decay in (0.1, 0.9)
        ]
        assert not same_bits(*results), objective
