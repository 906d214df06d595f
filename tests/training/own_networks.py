"""A user's own builders."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth


class Small(nn.Module):
    """A convolution, something random, a linear layer."""

    def __init__(self, width: int, num_classes: int, in_channels: int, random: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        self.depth = StochasticDepth(0.5, "row") if random == "depth" else nn.Identity()
        self.classifier = nn.Linear(width, num_classes)
        self.random = random

    def forward(self, x: Tensor) -> Tensor:
        x = self.depth(F.relu(self.stem(x)))
        if self.random == "functional":
            x = F.dropout(x, 0.5, self.training)
        if self.random == "noise" and self.training:
            x = x + torch.randn_like(x)
        made: Tensor = self.classifier(x.mean((2, 3)))
        return made


def small(num_classes: int, in_channels: int, width: int = 8, random: str = "none") -> nn.Module:
    return Small(width, num_classes, in_channels, random)


class Headless(nn.Module):
    """Its last matrix is no layer of torch's."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem, self.matrix = nn.Conv2d(in_channels, 8, 3), nn.Parameter(torch.randn(8, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.stem(x)).mean((2, 3)) @ self.matrix


def headless(num_classes: int, in_channels: int) -> nn.Module:
    return Headless(num_classes, in_channels)


def strided(num_classes: int, in_channels: int, width: int = 16) -> nn.Module:
    """For large images: convolutions of few places."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 8, stride=8),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 4, stride=4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, num_classes),
    )
