"""A user's own builders, most of which a CUDA graph would train wrongly."""

import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Network(nn.Module):
    """A convolution and a linear layer, with something in between.

    Args:
        between: what `forward` does besides: "nothing", "waits", "python", "torch", "counts".
    """

    def __init__(self, num_classes: int, in_channels: int, between: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, 8, 3, padding=1)
        self.classifier = nn.Linear(8, num_classes)
        self.between, self.calls = between, 0

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        if self.training:
            if self.between == "waits":
                x = x * (1 + 0.1 * float(x.mean() > 0))
            elif self.between == "python":
                x = x * (0.5 + random.random())
            elif self.between == "torch":
                x = x * (0.5 + float(torch.rand(())))
            elif self.between == "counts":
                self.calls += 1
                x = x * (1 + 1 / self.calls)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


def build(num_classes: int, in_channels: int, between: str = "nothing") -> nn.Module:
    return Network(num_classes, in_channels, between)
