"""Pre-activation ResNet with bottleneck units (He et al. 2016, "Identity mappings")."""

from dataclasses import dataclass
from itertools import pairwise

from ban_ray.networks.architecture import register
from ban_ray.networks.image_architecture import ImageArchitecture, L, Layers
from ban_ray.networks.names import WHOLE, check_depth


@register
@dataclass(frozen=True)
class PreResNet(ImageArchitecture):
    """``pre-resnet-DEPTH``: three stages of ``(depth - 2) / 9`` bottleneck units, 64, 128 and 256 wide.

    The first unit of every stage has a projection; in stages 2 and 3 its 3x3 convolution halves the size. Images may
    have any size.

    Raises:
        UserError: a depth that is not 11, 20, 29, ...
    """

    FORM = "pre-resnet-DEPTH"
    PATTERN = rf"pre-resnet-{WHOLE}"

    depth: int

    def __post_init__(self) -> None:
        check_depth(self.name, self.depth, 2, 9)

    @property
    def name(self) -> str:
        return f"pre-resnet-{self.depth}"

    @property
    def units(self) -> int:
        """Residual units in each stage."""
        return (self.depth - 2) // 9

    @property
    def widths(self) -> tuple[int, int, int, int]:
        return 16, 64, 128, 256

    def layers(self, make: Layers[L]) -> list[L]:
        layers: list[L] = []
        for stage, (inputs, outputs) in enumerate(pairwise(self.widths)):
            # A bottleneck is a quarter as wide as its stage.
            inner, stride = outputs // 4, 1 if stage == 0 else 2
            layers.append(make.bottleneck_unit(inputs, inner, outputs, projected=True, stride=stride))
            layers += [make.bottleneck_unit(outputs, inner, outputs, projected=False) for _ in range(self.units - 1)]
        return layers
