"""Pieces that several families share."""

import math

from torch import Tensor, nn


def conv(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A square convolution that keeps the size (at stride 1), without bias."""
    return nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)


class NormConv(nn.Sequential):
    """BN-ReLU-convolution: (b, inputs, h, w) to (b, outputs, h / stride, w / stride), sides rounded up."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1) -> None:
        super().__init__(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), conv(inputs, outputs, side, stride))


class Head(nn.Sequential):
    """BN-ReLU-global average pool: (b, channels, h, w) to (b, channels)."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


def initialise(module: nn.Module) -> None:
    """Wide-ResNet's initialisation: convolutions N(0, sqrt(2 / (k k out))), linear bias 0, norms 1 and 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            height, width = layer.kernel_size
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (height * width * layer.out_channels)))
        elif isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)


class Classifier(nn.Module):
    """A network whose first convolution is `stem` and whose last layer is `classifier`.

    Forward: (b, in_channels, h, w) to logits (b, num_classes).
    """

    def __init__(self, stem: nn.Conv2d, body: nn.Module, channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.head = Head(channels)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.head(self.body(self.stem(x)))
        logits: Tensor = self.classifier(features)
        return logits
