"""Wide-ResNet (Zagoruyko and Komodakis 2016), with dropout between the two convolutions of a unit."""

from dataclasses import dataclass
from itertools import pairwise

from ban_ray.errors import UserError
from ban_ray.networks.architecture import register
from ban_ray.networks.image_architecture import ImageArchitecture, L, Layers
from ban_ray.networks.names import WHOLE, check_depth

DROPOUT = 0.3


@register
@dataclass(frozen=True)
class WideResNet(ImageArchitecture):
    """``wide-resnet-DEPTH-WIDTH``: stages of ``(depth - 4) / 6`` units, 16, 32 and 64 times `width` wide.

    As in the authors' code, stages 2 and 3 halve the size, and a shortcut is a projection where the number of
    channels changes. Images may have any size.

    Raises:
        UserError: a depth that is not 10, 16, 22, ..., or a width below 1.
    """

    FORM = "wide-resnet-DEPTH-WIDTH"
    PATTERN = rf"wide-resnet-{WHOLE}-{WHOLE}"

    depth: int
    width: int

    def __post_init__(self) -> None:
        check_depth(self.name, self.depth, 4, 6)
        if self.width < 1:
            raise UserError(f"network {self.name}: width {self.width} is too small; at least 1 is needed")

    @property
    def name(self) -> str:
        return f"wide-resnet-{self.depth}-{self.width}"

    @property
    def units(self) -> int:
        """Residual units in each stage."""
        return (self.depth - 4) // 6

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Channels after the stem and in each stage."""
        return 16, 16 * self.width, 32 * self.width, 64 * self.width

    def layers(self, make: Layers[L]) -> list[L]:
        layers: list[L] = []
        for stage, (inputs, outputs) in enumerate(pairwise(self.widths)):
            stride = 1 if stage == 0 else 2
            layers.append(make.basic_unit(inputs, outputs, projected=inputs != outputs, stride=stride, dropout=DROPOUT))
            layers += [
                make.basic_unit(outputs, outputs, projected=False, dropout=DROPOUT) for _ in range(self.units - 1)
            ]
        return layers
