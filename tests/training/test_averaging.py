"""Averages of weights: literal ones, what is evaluated and published, and what batch norms have."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.evaluation.metrics import error_percent
from ban_ray.specs import Generation, Recipe
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import train
from ban_ray.training.averaging import ExponentialMovingAverage, StochasticWeightAveraging
from ban_ray.training.evaluation import evaluate
from ban_ray.training.optimizer import SGD
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import (
    initial_network,
    same_bits,
    same_training,
    train_with_states,
    without_times,
)

PLAIN, NORMS = "tests.training.own_networks:small", "densenet-bc-10-4"
Weights = dict[str, Tensor]


@pytest.fixture
def after_steps(monkeypatch: pytest.MonkeyPatch) -> list[list[Tensor]]:
    """The parameters before the first and after every step of trainings from now on."""
    seen: list[list[Tensor]] = []
    real = SGD.step

    def spy(self: SGD, learning_rate: float | Tensor) -> None:
        if not seen:
            seen.append([parameter.detach().clone() for parameter in self.parameters])
        real(self, learning_rate)
        seen.append([parameter.detach().clone() for parameter in self.parameters])

    monkeypatch.setattr(SGD, "step", spy)
    return seen


@pytest.mark.parametrize("decay", [0.999, 0.3])
def test_ema_is_the_literal_one(
    data: ImageData, make_generation: MakeGeneration, after_steps: list[list[Tensor]], decay: float
) -> None:
    generation = make_generation(
        network=NORMS, epochs=3, batch_size=60, averaging="ema", **({} if decay == 0.999 else {"ema_decay": decay})
    )
    made = train(generation, None, data, CPU).weights
    average = [parameter.double() for parameter in after_steps[0]]
    for step, weights in enumerate(after_steps[1:], start=1):
        kept = min(decay, step / (9 + step))
        average = [kept * mean + (1 - kept) * now.double() for mean, now in zip(average, weights, strict=True)]
    assert len(after_steps) == 16
    names = [name for name, _ in initial_network(generation, data).named_parameters()]
    for name, expected in zip(names, average, strict=True):
        torch.testing.assert_close(made[name].double(), expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(made[names[0]], after_steps[-1][0], rtol=1e-3)


def a_network() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    # What a module masks with, say, would be spoilt by any arithmetic.
    network.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    return network


def test_ema_averages_the_statistics_of_batch_norms_and_no_other_buffer() -> None:
    network = a_network()
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm1d)
    averaging = ExponentialMovingAverage(network, 0.9)
    expected = [norm.running_mean.clone(), norm.running_var.clone()]  # type: ignore[union-attr]
    for step in range(1, 8):
        network(torch.randn(6, 3))
        averaging.after_step()
        kept = min(0.9, step / (9 + step))
        for number, now in enumerate((norm.running_mean, norm.running_var)):
            expected[number] = kept * expected[number] + (1 - kept) * now  # type: ignore[operator]
    raw = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with averaging.applied():
        torch.testing.assert_close([norm.running_mean, norm.running_var], expected)
        inside = network.state_dict()
        assert torch.equal(inside["mask"], raw["mask"])
        assert inside["1.num_batches_tracked"] == 7
        assert not torch.equal(inside["1.running_mean"], raw["1.running_mean"])
    assert same_bits(dict(network.state_dict()), raw), "and its own afterwards"


def test_an_error_under_an_average_leaves_the_networks_own_weights() -> None:
    network = a_network()
    averaging = ExponentialMovingAverage(network, 0.9)
    with torch.no_grad():
        network[0].weight.add_(1)  # type: ignore[operator]
    averaging.after_step()
    raw = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(KeyError), averaging.applied():
        raise KeyError
    assert same_bits(dict(network.state_dict()), raw)


def literal_statistics(generation: Generation, data: ImageData, weights: Weights, epoch: int) -> Weights:
    """Means over an epoch's batches of the mean and the unbiased variance of what reaches each batch norm."""
    network = initial_network(generation, data)
    network.load_state_dict(weights)
    network.train()
    sums: Weights = {}
    batches = 0

    def watch(name: str, module: nn.Module) -> None:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            x = arguments[0].double().transpose(0, 1).flatten(1)
            for what, value in (("running_mean", x.mean(1)), ("running_var", x.var(1))):
                sums[f"{name}.{what}"] = sums.get(f"{name}.{what}", torch.zeros_like(value)) + value

        module.register_forward_pre_hook(hook)

    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            watch(name, module)
    whole = slice(0, generation.recipe.batch_size)
    with torch.no_grad():
        for batch in data.training_batches(generation, epoch, whole):
            network(batch.inputs)
            batches += 1
    return {name: total / batches for name, total in sums.items()}


@pytest.mark.parametrize(("start", "averaged"), [(0.75, 1), (0.5, 2), (0.0, 4), (0.7, 2)])
def test_swa_is_the_literal_one(data: ImageData, make_generation: MakeGeneration, start: float, averaged: int) -> None:
    generation = make_generation(
        network=NORMS, epochs=4, batch_size=100, schedule="constant", averaging="swa", swa_start=start
    )
    trained, states = train_with_states(generation, data)
    kept = [state["model"] for state in states][-averaged:]
    names = [name for name, _ in initial_network(generation, data).named_parameters()]
    for name in names:
        expected = sum(state[name].double() for state in kept) / averaged
        torch.testing.assert_close(trained.weights[name].double(), expected, rtol=1e-5, atol=1e-6)
    statistics = literal_statistics(generation, data, trained.weights, epoch=3)
    assert statistics
    for name, tensor in statistics.items():
        torch.testing.assert_close(trained.weights[name].double(), tensor, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(trained.weights[name], kept[-1][name], rtol=1e-3), "the last weights' own"


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_averaged_weights_are_evaluated_and_published_and_trained_ones_are_not_touched(
    data: ImageData, make_generation: MakeGeneration, averaging: str
) -> None:
    fields = {"network": NORMS, "epochs": 4, "batch_size": 100}
    plain, plain_states = train_with_states(make_generation(**fields), data)
    generation = make_generation(averaging=averaging, **fields)
    trained, states = train_with_states(generation, data)
    for one, other in zip(plain_states, states, strict=True):
        assert same_bits(one["model"], other["model"])
    assert not same_bits(plain.weights, trained.weights)
    network = initial_network(generation, data)
    network.load_state_dict(trained.weights)
    outputs = evaluate(network, data, data.test, generation.recipe)
    assert torch.equal(outputs, trained.test)
    held_out = evaluate(network, data, data.held_out, generation.recipe)
    error = error_percent(data.to_stored(held_out), data.held_out.labels.numpy())
    assert trained.history[-1]["held_out_error"] == error
    likelihoods = [record["held_out_log_likelihood"] for record in trained.history]
    before = [record["held_out_log_likelihood"] for record in plain.history]
    differing = [one != other for one, other in zip(likelihoods, before, strict=True)]
    assert differing == ([True] * 4 if averaging == "ema" else [False] * 3 + [True])


def test_early_stopping_publishes_the_first_of_the_best_epochs(
    data: ImageData, make_generation: MakeGeneration
) -> None:
    """At a rate at which the error goes up and down."""
    fields = {"network": NORMS, "epochs": 6, "batch_size": 30, "learning_rate": 1.0, "schedule": "constant"}
    plain, states = train_with_states(make_generation(**fields), data)
    stopped, _ = train_with_states(make_generation(averaging="best", **fields), data)
    errors = [record["held_out_error"] or 0.0 for record in plain.history]
    best = errors.index(min(errors))
    assert best < 5, "the last epoch is not the best one"
    assert same_bits(stopped.weights, states[best]["model"])
    assert [record["held_out_error"] for record in stopped.history] == errors
    assert stopped.test.shape == plain.test.shape
    assert not torch.equal(stopped.test, plain.test)


def test_a_stop_ends_after_the_same_bits(data: ImageData, make_generation: MakeGeneration) -> None:
    fields = {"network": NORMS, "epochs": 4, "batch_size": 100, "schedule": "cosine", "warm_up_epochs": 1}
    whole, states = train_with_states(make_generation(**fields), data)
    stopped, stopped_states = train_with_states(make_generation(stop_epoch=2, **fields), data)
    assert len(stopped_states) == 2
    assert same_bits(stopped.weights, states[1]["model"])
    assert without_times(stopped.history) == without_times(whole.history[:2])


def test_early_stopping_needs_held_out_data(data: ImageData, make_generation: MakeGeneration) -> None:
    without = replace(
        data, held_out=replace(data.held_out, images=data.held_out.images[:0], labels=data.held_out.labels[:0])
    )
    with pytest.raises(UserError, match="averaging = best needs held-out data"):
        train(make_generation(averaging="best"), None, without, CPU)


def test_the_pass_of_swa_draws_what_a_function_of_seed_and_epoch_says(
    data: ImageData, make_generation: MakeGeneration
) -> None:
    """The network drops features, in this pass too."""
    generation = make_generation(network="wide-resnet-10-1", epochs=2, batch_size=100, averaging="swa")
    first = train(generation, None, data, CPU)
    torch.rand(3)
    assert same_training(first, train(generation, None, data, CPU))


def test_a_network_without_batch_norms_needs_no_pass() -> None:
    network = nn.Linear(2, 2)
    recipe = Recipe(epochs=4, averaging="swa", swa_start=0.5)
    averaging = StochasticWeightAveraging(network, recipe, 0, CPU)

    def inputs() -> Iterator[Tensor]:
        yield from map(pytest.fail, ["read"])

    for epoch in range(4):
        with torch.no_grad():
            network.weight.fill_(epoch)
        averaging.after_epoch(epoch, inputs())
        with averaging.applied():
            assert (network.weight == {0: 0, 1: 1, 2: 2, 3: 2.5}[epoch]).all()
        assert (network.weight == epoch).all()
