"""Match-ResNets: residual units inside, the widths of a DenseNet's stages at their borders."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from ban_ray.errors import UserError
from ban_ray.networks.architecture import decimal_text
from ban_ray.networks.families.densenet import DenseNetBC, skeleton_parameters
from ban_ray.networks.families.match_densenet import TEACHER, check_units, suffix
from ban_ray.networks.modules import parameter_counts


@dataclass(frozen=True)
class MatchResNet(ABC):
    """``FAMILY-UNITS-RATIO``: stage b has `units` residual units of ``int(ratio * M_b)`` channels.

    The first unit of a stage goes from M_(b-1) to that width, always by a projection.

    Raises:
        UserError: no units, or a ratio that leaves no channel in some stage.
    """

    family: ClassVar[str]

    units: int
    ratio: Decimal
    target: DenseNetBC = TEACHER

    def __post_init__(self) -> None:
        check_units(self.name, self.units)
        if min(self.narrowest) < 1:
            raise UserError(
                f"network {self.name}: ratio {decimal_text(self.ratio)} of {min(self.target.widths[1:])} "
                "channels leaves none for a convolution of some stage; a larger one is needed"
            )

    @property
    def name(self) -> str:
        return f"{self.family}-{self.units}-{decimal_text(self.ratio)}{suffix(self.target)}"

    @property
    def hidden(self) -> tuple[int, int, int]:
        """H_b: channels of each stage's residual units."""
        first, second, third = (int(self.ratio * width) for width in self.target.widths[1:])
        return first, second, third

    @property
    @abstractmethod
    def narrowest(self) -> tuple[int, int, int]:
        """Channels of the narrowest convolution inside each stage's units."""

    @abstractmethod
    def unit_parameters(self, inputs: int, stage: int, *, projected: bool) -> int:
        """Parameters of one residual unit of stage 0, 1 or 2."""

    def parameters(self, num_classes: int, in_channels: int) -> int:
        stages = []
        for stage, (inputs, hidden) in enumerate(zip(self.target.widths[:3], self.hidden, strict=True)):
            first = self.unit_parameters(inputs, stage, projected=True)
            others = (self.units - 1) * self.unit_parameters(hidden, stage, projected=False)
            stages.append((first + others, hidden))
        return skeleton_parameters(self.target.widths, stages, num_classes, in_channels)


class MatchWideResNet(MatchResNet):
    """``match-wide-resnet-UNITS-RATIO``: basic units of two 3x3 convolutions."""

    family = "match-wide-resnet"

    @property
    def narrowest(self) -> tuple[int, int, int]:
        return self.hidden

    def unit_parameters(self, inputs: int, stage: int, *, projected: bool) -> int:
        return parameter_counts.basic_unit(inputs, self.hidden[stage], projected=projected)


class MatchPreResNet(MatchResNet):
    """``match-pre-resnet-UNITS-RATIO``: bottleneck units, a quarter as wide inside as outside."""

    family = "match-pre-resnet"

    @property
    def narrowest(self) -> tuple[int, int, int]:
        first, second, third = (hidden // 4 for hidden in self.hidden)
        return first, second, third

    def unit_parameters(self, inputs: int, stage: int, *, projected: bool) -> int:
        inner, outputs = self.narrowest[stage], self.hidden[stage]
        return parameter_counts.bottleneck_unit(inputs, inner, outputs, projected=projected)
