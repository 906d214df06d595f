"""A user's own builder; its members' keys hold this module's name."""

from torch import Tensor, nn


class Own(nn.Module):
    """A convolution and a linear layer."""

    def __init__(self, width: int, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.classifier(self.stem(x).relu().mean((2, 3)))
        return made


def build(num_classes: int, in_channels: int, width: int = 8) -> nn.Module:
    return Own(width, num_classes, in_channels)
