"""Layers of networks that read images, and the classifier that consists of them."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def conv(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A square convolution that preserves the size (at stride 1), without bias."""
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)


class NormConv(nn.Sequential):
    """BN-ReLU-convolution: (b, inputs, h, w) to (b, outputs, h / stride, w / stride), sides rounded up."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1) -> None:
        super().__init__(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), conv(inputs, outputs, side, stride))


class DenseUnit(nn.Module):
    """BN-ReLU-1x1(4K)-BN-ReLU-3x3(K), concatenated to its input: (b, c, h, w) to (b, c + K, h, w).

    Source: Huang et al. 2017.

    Attributes:
        recompute: whether activations are recomputed in the backward pass instead of stored: the same bits.
    """

    recompute = False

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.grow = nn.Sequential(NormConv(inputs, 4 * growth, 1), NormConv(4 * growth, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        if not (self.recompute and torch.is_grad_enabled()):
            return torch.cat([x, self.grow(x)], 1)
        grown = checkpoint(
            self.grow,
            x,
            use_reentrant=False,
            preserve_rng_state=False,  # it draws no random numbers
            context_fn=lambda: (nullcontext(), _preserved_statistics(self.grow)),
        )
        return torch.cat([x, grown], 1)


@contextmanager
def _preserved_statistics(branch: nn.Module) -> Iterator[None]:
    """Inside, batch norms update copies of their buffers.

    They cannot be switched off: checkpointing requires that the second pass saves the same tensors as the first.
    """
    norms = [layer for layer in branch.modules() if isinstance(layer, nn.BatchNorm2d)]
    buffers = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers()]
    for norm, name, buffer in buffers:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in buffers:
            setattr(norm, name, buffer)


class ResidualUnit(nn.Module):
    """BN-ReLU, then a branch added to a shortcut: (b, inputs, h, w) to (b, outputs, h / stride, w / stride).

    The shortcut is the identity on the input or, if projected, a 1x1 convolution without norm on the
    pre-activated input. Sides are rounded up. Source: He et al. 2016.
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


norm_conv = NormConv
dense_unit = DenseUnit


def average_pool() -> nn.AvgPool2d:
    """A 2x2 average pool: (b, c, h, w) to (b, c, h / 2, w / 2), sides rounded down."""
    return nn.AvgPool2d(2)


def basic_unit(inputs: int, outputs: int, *, projected: bool, stride: int = 1, dropout: float = 0.0) -> ResidualUnit:
    """BN-ReLU-3x3-BN-ReLU-dropout-3x3; the first convolution strides."""
    between = [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), *([nn.Dropout(dropout)] if dropout else [])]
    branch = nn.Sequential(conv(inputs, outputs, 3, stride), *between, conv(outputs, outputs, 3))
    return ResidualUnit(inputs, outputs, branch, projected=projected, stride=stride)


def bottleneck_unit(inputs: int, inner: int, outputs: int, *, projected: bool, stride: int = 1) -> ResidualUnit:
    """BN-ReLU-1x1-BN-ReLU-3x3-BN-ReLU-1x1; the 3x3 strides."""
    branch = nn.Sequential(conv(inputs, inner, 1), NormConv(inner, inner, 3, stride), NormConv(inner, outputs, 1))
    return ResidualUnit(inputs, outputs, branch, projected=projected, stride=stride)


class Classifier(nn.Module):
    """A network whose first convolution is `stem` and whose last layer is `classifier`.

    Forward: (b, in_channels, h, w) to logits (b, num_classes). Initialised as Wide-ResNets are: convolutions
    N(0, sqrt(2 / (k k out))), linear bias 0, norms 1 and 0.

    Args:
        width: channels after the stem.
        body: modules in a row, from `width` to `channels` channels.
    """

    def __init__(
        self, in_channels: int, width: int, body: Sequence[nn.Module], channels: int, num_classes: int
    ) -> None:
        super().__init__()
        self.stem = conv(in_channels, width, 3)
        self.body = nn.Sequential(*body)
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(1)
        )
        self.classifier = nn.Linear(channels, num_classes)
        nn.init.zeros_(self.classifier.bias)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                size = math.prod(layer.kernel_size) * layer.out_channels
                nn.init.normal_(layer.weight, std=math.sqrt(2 / size))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.head(self.body(self.stem(x)))
        logits: Tensor = self.classifier(features)
        return logits
