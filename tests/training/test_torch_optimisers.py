"""Optimisers by name: torch's own updates, the arguments that a recipe may give them, and their states."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.specs import Recipe
from ban_ray.specs.optimisers import OPTIMISERS
from ban_ray.training import torch_optimiser
from ban_ray.training.checkpoint import from_bytes, to_bytes
from ban_ray.training.optimizer import SGD, Optimiser
from ban_ray.training.torch_optimiser import make_optimiser

STEPS = 50
ARGUMENTS: dict[str, dict[str, Any]] = {
    "sgd": {"nesterov": False},
    "adam": {"betas": [0.8, 0.95], "eps": 1e-3, "amsgrad": True},
    "adamw": {"betas": [0.8, 0.95], "eps": 1e-3},
    "nadam": {"betas": [0.8, 0.95], "momentum_decay": 0.1, "decoupled_weight_decay": True},
    "radam": {"betas": [0.8, 0.9], "decoupled_weight_decay": True},
    "rmsprop": {"alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-3},
    "adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.1},
    "muon": {"momentum": 0.8, "nesterov": False, "ns_steps": 3, "adjust_lr_fn": "match_rms_adamw"},
}
CLASSES = {name: getattr(torch.optim, arguments.__name__) for name, arguments in OPTIMISERS.items()}


def a_network() -> nn.Sequential:
    """Channels-last convolutions of which one has 1 x 1 kernels, a frozen bias, and a last layer without gradients at
    first."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Flatten(), nn.Linear(4 * 36, 5)
    )
    network.append(nn.Linear(5, 5))
    network[5].bias.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


def set_gradients(network: nn.Sequential, step: int) -> None:
    """Numbers that do not depend on the weights, so that roundings of a step stay roundings."""
    torch.manual_seed(step)
    for name, parameter in network.named_parameters():
        gradient = torch.empty_like(parameter).copy_(torch.randn(parameter.shape))
        reached = parameter.requires_grad and (step >= 2 or not name.startswith("6."))
        parameter.grad = gradient if reached else None


def updated(network: nn.Sequential, update: Callable[[float], object], steps: range = range(STEPS)) -> list[Tensor]:
    for step in steps:
        set_gradients(network, step)
        update(0.02 / (1 + step))
    return [parameter.detach().clone() for parameter in network.parameters()]


def recipe_of(name: str, **fields: Any) -> Recipe:
    return Recipe(optimiser=name, weight_decay=0.03, **fields)


class Reference:
    """Torch's classes without fused or grouped kernels; a copy of each convolution's weight as a matrix for Muon.

    Body and head, the last layer, are parameter groups of their own.
    """

    def __init__(
        self, network: nn.Sequential, name: str, arguments: dict[str, Any], decay: str, body: float = 1.0
    ) -> None:
        head = list(network[-1].parameters())

        def groups(parameters: Sequence[Tensor], tensors: Sequence[Tensor], **more: object) -> list[dict[str, Any]]:
            in_head = [any(each is other for other in head) for each in parameters]
            pairs = list(zip(tensors, in_head, strict=True))
            parts = [
                {
                    "params": [tensor for tensor, is_in in pairs if is_in == part],
                    "factor": 1.0 if part else body,
                    **more,
                }
                for part in (False, True)
            ]
            return [part for part in parts if part["params"]]

        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.matrices: list[tuple[Tensor, nn.Parameter]] = []
        if name == "muon":
            self.matrices = [
                (each, nn.Parameter(self.flat(each.detach()).clone())) for each in trained if each.dim() > 1
            ]
            weights, matrices = zip(*self.matrices, strict=True)
            muon = torch.optim.Muon(groups(weights, matrices), weight_decay=0.03, **arguments)
            rest = [each for each in trained if each.dim() == 1]
            shrinkage = 0.0 if decay == "matrices" else 0.03
            adamw = torch.optim.AdamW(groups(rest, rest), weight_decay=shrinkage, foreach=False)
            self.optimisers: list[torch.optim.Optimizer] = [muon, adamw]
            return
        extra = {"momentum": 0.9} if name == "sgd" else {}
        parts = [
            group
            for are_matrices in (True, False)
            for chosen in [[each for each in trained if (each.dim() > 1) == are_matrices]]
            for group in groups(chosen, chosen, weight_decay=0.03 if are_matrices or decay == "all" else 0.0)
        ]
        self.optimisers = [CLASSES[name](parts, lr=1.0, foreach=False, **extra, **arguments)]

    @staticmethod
    def flat(weight: Tensor) -> Tensor:
        return weight.permute(0, 2, 3, 1).flatten(1) if weight.dim() == 4 else weight

    def step(self, learning_rate: float) -> None:
        for weight, matrix in self.matrices:
            matrix.grad = None if weight.grad is None else self.flat(weight.grad).clone()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * group["factor"]
            optimiser.step()
        for weight, matrix in self.matrices:
            with torch.no_grad():
                self.flat(weight).copy_(matrix)


@pytest.mark.parametrize("body", [1.0, 0.1], ids=["one rate", "body slower"])
@pytest.mark.parametrize("decay", ["all", "matrices"])
@pytest.mark.parametrize("given", [False, True], ids=["defaults", "arguments"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_fifty_updates_are_torchs(name: str, given: bool, decay: str, body: float) -> None:
    arguments = ARGUMENTS[name] if given else {}
    torchs = {"nesterov": True} if name == "sgd" and not given else arguments
    network, other = a_network(), a_network()
    start = [parameter.detach().clone() for parameter in network.parameters()]
    recipe = recipe_of(name, optimiser_arguments=arguments, decay=decay, body_learning_rate=body)
    optimiser = make_optimiser(network.parameters(), recipe, list(network[-1].parameters()))
    ours = updated(network, optimiser.step)
    theirs = updated(other, Reference(other, name, torchs, decay, body).step)
    for actual, its in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual, its, rtol=1e-5, atol=1e-6)
    assert sum(not torch.equal(actual, first) for actual, first in zip(ours, start, strict=True)) == len(start) - 1


@pytest.mark.parametrize("name", OPTIMISERS)
def test_arguments_change_the_update(name: str) -> None:
    one, other = a_network(), a_network()
    plain = updated(one, make_optimiser(one.parameters(), recipe_of(name)).step, range(5))
    given = recipe_of(name, optimiser_arguments=ARGUMENTS[name])
    assert not torch.equal(plain[0], updated(other, make_optimiser(other.parameters(), given).step, range(5))[0])


@pytest.mark.parametrize("name", OPTIMISERS)
def test_without_decay_of_vectors_only_matrices_shrink(name: str) -> None:
    """Gradients of zero leave the weight decay alone."""
    for decay, shrinking in (("all", {1, 2, 4}), ("matrices", {2, 4})):
        network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(1.0)
        optimiser = make_optimiser(network.parameters(), recipe_of(name, decay=decay))
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step(0.1)
        assert {
            each.dim() for each in network.parameters() if not torch.equal(each, torch.ones_like(each))
        } == shrinking


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_resumed_optimiser_goes_on_with_the_same_bits(name: str) -> None:
    recipe = recipe_of(name, optimiser_arguments=ARGUMENTS[name], decay="matrices", body_learning_rate=0.1)
    whole, parts = a_network(), a_network()
    expected = updated(whole, make_optimiser(whole.parameters(), recipe, whole[-1].parameters()).step, range(8))
    first = make_optimiser(parts.parameters(), recipe, parts[-1].parameters())
    updated(parts, first.step, range(4))
    state = from_bytes(to_bytes(first.state_dict()))
    for _ in range(2):
        # A state is not written to, so that it serves twice.
        again = a_network()
        again.load_state_dict(parts.state_dict())
        second = make_optimiser(again.parameters(), recipe, again[-1].parameters())
        second.load_state_dict(state)
        for actual, its in zip(updated(again, second.step, range(4, 8)), expected, strict=True):
            assert torch.equal(actual, its)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_table_without_torch_says_what_torch_says(name: str) -> None:
    """Names, defaults, and that torch takes the extreme values that are allowed."""
    signature = inspect.signature(CLASSES[name]).parameters
    for argument, field in OPTIMISERS[name].model_fields.items():
        default = signature[argument].default if argument in signature else None
        if (name, argument) == ("sgd", "nesterov"):
            assert field.default is True, "the papers' momentum is Nesterov's"
        elif (name, argument) == ("muon", "betas"):
            assert field.default == inspect.signature(torch.optim.AdamW).parameters["betas"].default
        elif (name, argument) == ("muon", "adjust_lr_fn"):
            assert (default, field.default) == (None, "original")
        else:
            assert field.default == default, argument
    ours = {*OPTIMISERS[name].model_fields, "params", "lr", "weight_decay", "foreach", "fused", "capturable"}
    left = {"maximize", "differentiable", "momentum", "dampening", "decoupled_weight_decay", "ns_coefficients"}
    assert set(signature) <= ours | left, "an argument that a recipe cannot give"


def test_classes_say_whether_they_can_be_captured() -> None:
    for name in OPTIMISERS:
        optimiser = make_optimiser(a_network().parameters(), recipe_of(name))
        takes_it = "capturable" in inspect.signature(CLASSES[name]).parameters
        assert optimiser.capturable == (takes_it or isinstance(optimiser, SGD)), name


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_fused_kernels_are_used_but_for_views(name: str) -> None:
    def fused(parameter: Tensor) -> object:
        optimiser: Optimiser = make_optimiser([parameter], recipe_of(name))
        assert isinstance(optimiser, torch_optimiser.TorchOptimiser)
        return optimiser._optimisers[0].param_groups[0]["fused"]

    assert fused(nn.Parameter(torch.ones(4, 6)))
    assert not fused(nn.Parameter(torch.ones(4, 6)[:, ::2]))


def test_muon_refuses_what_it_cannot_take(monkeypatch: pytest.MonkeyPatch) -> None:
    view = nn.Parameter(torch.ones(4, 6, 2, 2)[:, ::2])
    with pytest.raises(UserError, match=r"^optimiser muon cannot take a parameter of shape \(4, 3, 2, 2\)"):
        make_optimiser([view], recipe_of("muon"))
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(UserError, match=r"^optimiser muon needs a newer torch than"):
        make_optimiser(a_network().parameters(), recipe_of("muon"))


def test_sgd_is_not_torchs_class() -> None:
    assert isinstance(make_optimiser(a_network().parameters(), Recipe()), SGD)
