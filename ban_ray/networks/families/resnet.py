"""The standard residual networks that the papers compare with."""

from dataclasses import dataclass
from itertools import pairwise

from ban_ray.errors import UserError
from ban_ray.networks.modules import parameter_counts


def check_depth(name: str, depth: int, constant: int, layers_a_unit: int) -> None:
    """Refuse a depth that no number of units a stage makes.

    Raises:
        UserError: `depth` is not `constant` plus a positive multiple of `layers_a_unit`.
    """
    units, rest = divmod(depth - constant, layers_a_unit)
    if units < 1 or rest:
        below = constant + layers_a_unit * max(units, 1)
        raise UserError(
            f"network {name}: depth {depth} is not {constant} plus a multiple of {layers_a_unit}; "
            f"allowed nearby are {below} and {below + layers_a_unit}"
        )


@dataclass(frozen=True)
class WideResNet:
    """``wide-resnet-DEPTH-WIDTH``: stages of ``(depth - 4) / 6`` units, 16, 32 and 64 times `width` wide.

    Raises:
        UserError: a depth that is not 10, 16, 22, ..., or a width below 1.
    """

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

    def parameters(self, num_classes: int, in_channels: int) -> int:
        total = parameter_counts.conv(in_channels, 16, 3)
        for inputs, outputs in pairwise(self.widths):
            total += parameter_counts.basic_unit(inputs, outputs, projected=inputs != outputs)
            total += (self.units - 1) * parameter_counts.basic_unit(outputs, outputs, projected=False)
        return total + parameter_counts.head(self.widths[3], num_classes)


@dataclass(frozen=True)
class PreResNet:
    """``pre-resnet-DEPTH``: three stages of ``(depth - 2) / 9`` bottleneck units, 64, 128 and 256 wide.

    Raises:
        UserError: a depth that is not 11, 20, 29, ...
    """

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
        """Channels after the stem and in each stage; a bottleneck is a quarter as wide as its stage."""
        return 16, 64, 128, 256

    def parameters(self, num_classes: int, in_channels: int) -> int:
        total = parameter_counts.conv(in_channels, 16, 3)
        for inputs, outputs in pairwise(self.widths):
            inner = outputs // 4
            total += parameter_counts.bottleneck_unit(inputs, inner, outputs, projected=True)
            total += (self.units - 1) * parameter_counts.bottleneck_unit(outputs, inner, outputs, projected=False)
        return total + parameter_counts.head(self.widths[3], num_classes)
