"""Recomputation changes memory and time, and no bit."""

import pytest
import torch
from torch import Tensor, nn

from ban_ray.networks.building import build
from tests.helpers.networks import DENSE


def network(name: str, *, recompute: bool) -> nn.Module:
    torch.manual_seed(5)
    return build(name, 5, recompute=recompute)


def step(module: nn.Module, images: Tensor, precision: torch.dtype) -> Tensor:
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        loss = module(images).float().square().mean()
    loss.backward()
    return torch.as_tensor(loss.detach())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", DENSE)
def test_the_same_bits(name: str, precision: torch.dtype) -> None:
    plain, recomputing = network(name, recompute=False), network(name, recompute=True)
    for _ in range(2):
        images = torch.randn(4, 3, 8, 8)
        assert torch.equal(step(plain, images, precision), step(recomputing, images, precision))
    for (path, ours), theirs in zip(plain.named_parameters(), recomputing.parameters(), strict=True):
        assert ours.grad is not None, path
        assert theirs.grad is not None, path
        assert torch.equal(ours.grad, theirs.grad), path
    for (path, ours_buffer), (other, theirs_buffer) in zip(
        plain.named_buffers(), recomputing.named_buffers(), strict=True
    ):
        assert path == other
        assert torch.equal(ours_buffer, theirs_buffer), path
    assert plain.state_dict().keys() == recomputing.state_dict().keys()


def test_fewer_bytes_are_kept_for_the_backward_pass() -> None:
    def kept(recompute: bool) -> int:
        storages: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            network("densenet-bc-22-8", recompute=recompute)(torch.randn(4, 3, 16, 16))
        return sum(storages.values())

    assert kept(True) < 0.6 * kept(False)


def test_a_frozen_stem_leaves_the_gradients() -> None:
    images = torch.randn(4, 3, 8, 8)
    gradients = []
    for recompute in (False, True):
        module = network("densenet-bc-16-4", recompute=recompute)
        module.stem.requires_grad_(False)
        step(module, images, torch.float32)
        gradients.append([p.grad for p in module.parameters() if p.requires_grad])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_evaluation_without_gradients() -> None:
    images = torch.randn(4, 3, 8, 8)
    with torch.inference_mode():
        plain, recomputing = (network("densenet-bc-16-4", recompute=r).eval()(images) for r in (False, True))
    assert torch.equal(plain, recomputing)
