"""The units against their definitions, written out with functional calls."""

from typing import TypeVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ban_ray.networks.modules.layers import DenseUnit, basic_unit, bottleneck_unit

M = TypeVar("M", bound=nn.Module)


def settled(unit: M) -> M:
    """In evaluation mode, with norms whose statistics and affine parts are all unlike 0 and 1."""
    for layer in unit.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in layer.state_dict().values():
                if tensor.is_floating_point():
                    nn.init.uniform_(tensor, 0.5, 2)
    return unit.eval().requires_grad_(False)


def convolved(unit: nn.Module, x: Tensor, number: int, *, stride: int = 1) -> Tensor:
    """BN, ReLU and convolution `number` of the main branch, in the order of the unit's layers."""
    norms = [layer for layer in unit.modules() if isinstance(layer, nn.BatchNorm2d)]
    convolutions = [
        layer for path, layer in unit.named_modules() if isinstance(layer, nn.Conv2d) and path != "shortcut"
    ]
    norm, weight = norms[number], convolutions[number].weight
    x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return F.conv2d(x.relu(), weight, stride=stride, padding=weight.shape[-1] // 2)


def preactivated_shortcut(unit: nn.Module, x: Tensor, stride: int) -> Tensor:
    norm = next(layer for layer in unit.modules() if isinstance(layer, nn.BatchNorm2d))
    x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    shortcut = unit.get_submodule("shortcut")
    assert isinstance(shortcut, nn.Conv2d)
    return F.conv2d(x.relu(), shortcut.weight, stride=stride)


@pytest.mark.parametrize("recompute", [False, True])
def test_dense_unit(recompute: bool) -> None:
    unit, x = settled(DenseUnit(6, 3)), torch.randn(2, 6, 5, 5)
    unit.recompute = recompute
    expected = torch.cat([x, convolved(unit, convolved(unit, x, 0), 1)], 1)
    torch.testing.assert_close(unit(x), expected)


def test_units_with_an_identity() -> None:
    x = torch.randn(2, 6, 5, 5)
    unit = settled(basic_unit(6, 6, projected=False, dropout=0.3))
    torch.testing.assert_close(unit(x), x + convolved(unit, convolved(unit, x, 0), 1))
    unit = settled(bottleneck_unit(6, 2, 6, projected=False))
    torch.testing.assert_close(unit(x), x + convolved(unit, convolved(unit, convolved(unit, x, 0), 1), 2))


@pytest.mark.parametrize("stride", [1, 2])
def test_units_with_a_projection(stride: int) -> None:
    x = torch.randn(2, 6, 5, 5)
    unit = settled(basic_unit(6, 8, projected=True, stride=stride))
    branch = convolved(unit, convolved(unit, x, 0, stride=stride), 1)
    torch.testing.assert_close(unit(x), preactivated_shortcut(unit, x, stride) + branch)
    unit = settled(bottleneck_unit(6, 2, 8, projected=True, stride=stride))
    branch = convolved(unit, convolved(unit, convolved(unit, x, 0), 1, stride=stride), 2)
    torch.testing.assert_close(unit(x), preactivated_shortcut(unit, x, stride) + branch)


def test_the_input_is_left_as_it_was() -> None:
    for unit in (DenseUnit(6, 3), basic_unit(6, 6, projected=False), bottleneck_unit(6, 2, 8, projected=True)):
        x = torch.randn(2, 6, 5, 5)
        before = x.clone()
        unit(x)
        assert torch.equal(x, before)
