import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ban_ray.specs import Recipe
from ban_ray.training.checkpoint import from_bytes, to_bytes
from ban_ray.training.optimizer import SGD

STEPS = 5


def a_network() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    network.append(nn.Linear(5, 5))
    network[4].bias.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


def gradients(network: nn.Sequential, step: int) -> None:
    """Of a loss that does not reach the last layer until the third step."""
    torch.manual_seed(step)
    out = network[:5](torch.randn(8, 3, 8, 8))
    loss = out.square().mean() + (network[5](out).square().mean() if step >= 2 else 0)
    for parameter in network.parameters():
        parameter.grad = None
    loss.backward()


def states(network: nn.Sequential, update: Callable[[float], object], steps: range) -> list[Tensor]:
    for step in steps:
        gradients(network, step)
        update(0.1 / (1 + step))
    return [parameter.detach().clone() for parameter in network.parameters()]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 5e-4])
def test_the_update_is_that_of_torch(momentum: float, weight_decay: float) -> None:
    ours, theirs = a_network(), a_network()
    optimiser = SGD(ours.parameters(), Recipe(momentum=momentum, weight_decay=weight_decay))
    reference = torch.optim.SGD(
        [parameter for parameter in theirs.parameters() if parameter.requires_grad],
        lr=1,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=momentum > 0,
        foreach=False,
    )

    def update(learning_rate: float) -> None:
        reference.param_groups[0]["lr"] = learning_rate
        reference.step()

    pairs = zip(states(ours, optimiser.step, range(STEPS)), states(theirs, update, range(STEPS)), strict=True)
    for actual, its in pairs:
        torch.testing.assert_close(actual, its, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("part", [lambda whole: whole[:, ::2], lambda whole: whole[:, :3], lambda whole: whole.t()])
def test_parameters_that_are_views_are_updated_where_they_lie(part: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    start, pull = torch.randn(6, 6), torch.randn(6, 6)
    ours, theirs = (nn.Parameter(part(start.clone())) for _ in range(2))
    optimiser = SGD([ours], Recipe(momentum=0.9, weight_decay=5e-4))
    reference = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    for _ in range(3):
        for parameter in (ours, theirs):
            parameter.grad = None
            torch.autograd.backward((parameter * part(pull)).sum())
        optimiser.step(0.1)
        reference.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_resumed_optimiser_goes_on_with_the_same_bits() -> None:
    recipe = Recipe()
    whole, parts = a_network(), a_network()
    expected = states(whole, SGD(whole.parameters(), recipe).step, range(STEPS))
    first = SGD(parts.parameters(), recipe)
    states(parts, first.step, range(3))
    second = SGD(parts.parameters(), recipe)
    second.load_state_dict(from_bytes(to_bytes(first.state_dict())))
    for actual, its in zip(states(parts, second.step, range(3, STEPS)), expected, strict=True):
        assert torch.equal(actual, its)


def test_a_loaded_state_is_not_written_to() -> None:
    network = a_network()
    saved = SGD(network.parameters(), Recipe())
    states(network, saved.step, range(2))
    before = [velocity.clone() for velocity in saved.state_dict()["velocities"]]
    loaded = SGD(network.parameters(), Recipe())
    loaded.load_state_dict(saved.state_dict())
    states(network, loaded.step, range(2, 4))
    for actual, its in zip(saved.state_dict()["velocities"], before, strict=True):
        assert torch.equal(actual, its)


def test_training_does_not_import_the_compiler() -> None:
    """It costs 3 s of every worker process."""
    code = (
        "import sys, torch; from ban_ray.specs import Recipe; from ban_ray.training import train; "
        "from ban_ray.training.optimizer import SGD; p = torch.zeros(3, requires_grad=True); p.grad = torch.ones(3); "
        "SGD([p], Recipe()).step(0.1); assert p.sum() < 0; sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
