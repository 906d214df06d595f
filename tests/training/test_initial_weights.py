"""Training from given weights: the start of every generation, resumes, and rates of body and head."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build
from ban_ray.networks.pretrained import digest_of, to_file
from ban_ray.specs import Generation
from ban_ray.specs.recipes import RECIPES
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import loop, train
from ban_ray.training.checkpoint import to_bytes
from ban_ray.training.precision import to_device
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import (
    a_teacher,
    initial_network,
    same_bits,
    same_training,
    train_with_states,
)

NETWORK = "wide-resnet-10-1"
FINE_TUNE = RECIPES["fine-tune"].model_dump(exclude_defaults=True)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return dict(build(NETWORK, 100, 1).state_dict())


def started(
    make_generation: MakeGeneration, weights: dict[str, Tensor], objective: str = "label", **fields: Any
) -> Generation:
    sha256 = digest_of(to_file(weights))
    teachers = {} if objective == "label" else {"teachers": ("1" * 64,)}
    return make_generation(objective, network=NETWORK, initial_weights=sha256, **teachers, **fields)


def test_each_generation_starts_from_them_with_a_head_of_its_seed(
    data: ImageData, make_generation: MakeGeneration, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    first: dict[str, Tensor] = {}

    def spy(network: nn.Module, device: torch.device) -> nn.Module:
        first.update({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return to_device(network, device)

    monkeypatch.setattr(loop, "to_device", spy)
    teacher = a_teacher(data)
    for objective, seed in (("label", 1), ("ban", 5), ("ban+l", 6)):
        generation = started(make_generation, weights, objective, seed=seed, epochs=1)
        train(generation, None if objective == "label" else teacher, data, CPU, initial_weights=weights)
        drawn = initial_network(generation, data).state_dict()
        for name, tensor in first.items():
            expected = drawn[name] if name.startswith("classifier.") else weights[name]
            assert torch.equal(tensor, expected), name


def test_the_weights_are_read_alone(
    data: ImageData, make_generation: MakeGeneration, weights: dict[str, Tensor]
) -> None:
    before = {name: tensor.clone() for name, tensor in weights.items()}
    generation = started(make_generation, weights, epochs=1)
    trained = train(generation, None, data, CPU, initial_weights=weights)
    assert same_bits(before, weights)
    assert same_training(trained, train(generation, None, data, CPU, initial_weights=weights))
    scratch = train(make_generation(network=NETWORK, epochs=1), None, data, CPU)
    assert not same_bits(trained.weights, scratch.weights)


@pytest.mark.parametrize("averaging", ["none", "ema", "swa"])
def test_a_killed_fine_tuning_goes_on_to_the_same_bits(
    data: ImageData, make_generation: MakeGeneration, weights: dict[str, Tensor], averaging: str
) -> None:
    fields = {**FINE_TUNE, "epochs": 4, "batch_size": 50, "averaging": averaging, "micro_batches": 2}
    generation, teacher = started(make_generation, weights, "ban+l", **fields), a_teacher(data)
    assert generation.recipe.body_learning_rate == 0.1
    whole, states = train_with_states(generation, data, teacher, weights)
    for state in states[:-1]:
        torch.rand(3)
        resumed = train(generation, teacher, data, CPU, initial_weights=weights, state=state)
        assert same_training(whole, resumed), state["epoch"]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw", "muon"])
def test_the_body_moves_less_and_the_default_is_one_rate(
    data: ImageData, make_generation: MakeGeneration, weights: dict[str, Tensor], optimiser: str
) -> None:
    def moved(**fields: Any) -> tuple[float, float]:
        made = started(make_generation, weights, optimiser=optimiser, learning_rate=1e-3, epochs=1, **fields)
        drawn = initial_network(made, data).state_dict()
        trained = train(made, None, data, CPU, initial_weights=weights).weights
        body = (trained["stem.weight"] - weights["stem.weight"]).norm()
        return float(body), float((trained["classifier.weight"] - drawn["classifier.weight"]).norm())

    (body, head), (less, same) = moved(weight_decay=0), moved(weight_decay=0, body_learning_rate=0.01)
    assert less < 0.05 * body
    assert same > 0.5 * head


def test_what_is_named_is_needed_and_nothing_else(
    data: ImageData, make_generation: MakeGeneration, weights: dict[str, Tensor]
) -> None:
    for generation, given in ((started(make_generation, weights), None), (make_generation(network=NETWORK), weights)):
        with pytest.raises(UserError, match="with the initial weights that it names, and with no others"):
            train(generation, None, data, CPU, initial_weights=given)
    other = make_generation(network="wide-resnet-10-2", initial_weights="1" * 64)
    with pytest.raises(
        UserError, match=r"^1{12}\.safetensors does not fit wide-resnet-10-2, whose .*; of another shape"
    ):
        train(other, None, data, CPU, initial_weights=weights)


def test_a_rate_of_the_body_needs_a_head(data: ImageData, make_generation: MakeGeneration) -> None:
    headless = make_generation(network="tests.training.own_networks:headless", body_learning_rate=0.1)
    with pytest.raises(UserError, match=r"^body_learning_rate = 0\.1 needs a head, and .*own_networks:headless has no"):
        train(headless, None, data, CPU)


def test_a_checkpoint_has_no_more_than_before(data: ImageData, make_generation: MakeGeneration) -> None:
    """Of SGD the velocities alone, in the parameters' order, whatever the groups are."""
    sizes = []
    for rate in (1.0, 0.1):
        _, states = train_with_states(make_generation(epochs=1, body_learning_rate=rate), data)
        sizes.append((len(to_bytes(states[0])), [each.shape for each in states[0]["optimiser"]["velocities"]]))
    assert sizes[0] == sizes[1]
