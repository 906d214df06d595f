"""Pre-activation residual units (He et al. 2016)."""

from torch import Tensor, nn

from ban_ray.networks.modules.layers import NormConv, conv


class ResidualUnit(nn.Module):
    """BN-ReLU, then a branch added to a shortcut: (b, inputs, h, w) to (b, outputs, h / stride, w / stride).

    The shortcut is the identity on the input or, if projected, a 1x1 convolution without norm on the
    pre-activated input. Sides are rounded up.
    """

    def __init__(self, inputs: int, outputs: int, branch: nn.Module, *, projected: bool, stride: int) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.branch = branch
        self.shortcut = conv(inputs, outputs, 1, stride) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.activate(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        output: Tensor = shortcut + self.branch(active)
        return output


def basic_unit(inputs: int, outputs: int, *, projected: bool, stride: int = 1, dropout: float = 0.0) -> ResidualUnit:
    """BN-ReLU-3x3-BN-ReLU-dropout-3x3; the first convolution strides."""
    between = [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), *([nn.Dropout(dropout)] if dropout else [])]
    branch = nn.Sequential(conv(inputs, outputs, 3, stride), *between, conv(outputs, outputs, 3))
    return ResidualUnit(inputs, outputs, branch, projected=projected, stride=stride)


def bottleneck_unit(inputs: int, inner: int, outputs: int, *, projected: bool, stride: int = 1) -> ResidualUnit:
    """BN-ReLU-1x1-BN-ReLU-3x3-BN-ReLU-1x1; the 3x3 strides."""
    branch = nn.Sequential(conv(inputs, inner, 1), NormConv(inner, inner, 3, stride), NormConv(inner, outputs, 1))
    return ResidualUnit(inputs, outputs, branch, projected=projected, stride=stride)
