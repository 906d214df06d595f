"""The dense unit (Huang et al. 2017), whose activations can be recomputed instead of kept."""

import torch
from torch import Tensor, nn

from ban_ray.networks.modules.layers import NormConv
from ban_ray.networks.modules.recomputation import recomputed


class DenseUnit(nn.Module):
    """BN-ReLU-1x1(4K)-BN-ReLU-3x3(K), concatenated to its input: (b, c, h, w) to (b, c + K, h, w).

    Attributes:
        recompute: keep only the input for the backward pass and compute the rest again there.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.grow = nn.Sequential(NormConv(inputs, 4 * growth, 1), NormConv(4 * growth, growth, 3))
        self.recompute = False

    def forward(self, x: Tensor) -> Tensor:
        recompute = self.recompute and torch.is_grad_enabled()
        return torch.cat([x, recomputed(self.grow, x) if recompute else self.grow(x)], 1)


def dense_units(inputs: int, growth: int, units: int) -> list[nn.Module]:
    """A row of units: (b, inputs, h, w) to (b, inputs + units * growth, h, w)."""
    return [DenseUnit(inputs + unit * growth, growth) for unit in range(units)]
