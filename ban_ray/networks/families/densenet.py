"""DenseNet-BC, and the skeleton that the Match networks share with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ban_ray.errors import UserError
from ban_ray.networks.architecture import decimal_text
from ban_ray.networks.modules import parameter_counts

HALF = Decimal("0.5")


def skeleton_parameters(
    widths: tuple[int, int, int, int], stages: Iterable[tuple[int, int]], num_classes: int, in_channels: int
) -> int:
    """Stem, three stages each followed by a transition, head.

    Args:
        widths: channels after the stem and after each stage's transition.
        stages: for each stage its parameters and the channels that it hands to its transition.
    """
    total = parameter_counts.conv(in_channels, widths[0], 3)
    for (parameters, channels), width in zip(stages, widths[1:], strict=True):
        total += parameters + parameter_counts.norm_conv(channels, width, 1)
    return total + parameter_counts.head(widths[3], num_classes)


@dataclass(frozen=True)
class DenseNetBC:
    """``densenet-bc-DEPTH-GROWTH`` or ``...-cCOMPRESSION``.

    Three stages of ``(depth - 4) // 6`` units; every stage, the third included, ends in a transition to
    ``int(compression * channels)`` channels. The floor is needed for the papers' own depths 90 and 80.

    Raises:
        UserError: a depth below 10, a growth below 1, or a compression that is not above 0 and at most 1 or
            leaves a stage without channels.
    """

    depth: int
    growth: int
    compression: Decimal = HALF

    def __post_init__(self) -> None:
        if self.depth < 10:
            raise UserError(f"network {self.name}: depth {self.depth} is too small; at least 10 is needed")
        if self.growth < 1:
            raise UserError(f"network {self.name}: growth {self.growth} is too small; at least 1 is needed")
        if not 0 < self.compression <= 1:
            raise UserError(
                f"network {self.name}: compression {decimal_text(self.compression)} is not allowed; "
                "it must be above 0 and at most 1"
            )
        if min(self.widths) < 1:
            raise UserError(
                f"network {self.name}: compression {decimal_text(self.compression)} leaves a stage without "
                f"channels (the widths would be {', '.join(map(str, self.widths))}); a larger one is needed"
            )

    @property
    def name(self) -> str:
        suffix = "" if self.compression == HALF else f"-c{decimal_text(self.compression)}"
        return f"densenet-bc-{self.depth}-{self.growth}{suffix}"

    @property
    def units(self) -> int:
        """Dense units in each stage."""
        return (self.depth - 4) // 6

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """M0 to M3: channels after the stem and after each stage's transition."""
        widths = [2 * self.growth]
        for _ in range(3):
            widths.append(int(self.compression * (widths[-1] + self.units * self.growth)))
        return widths[0], widths[1], widths[2], widths[3]

    def parameters(self, num_classes: int, in_channels: int) -> int:
        stages = [
            (parameter_counts.dense_units(inputs, self.growth, self.units), inputs + self.units * self.growth)
            for inputs in self.widths[:3]
        ]
        return skeleton_parameters(self.widths, stages, num_classes, in_channels)
