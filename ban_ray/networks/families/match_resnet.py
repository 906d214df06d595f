"""Match-Wide-ResNet and Match-Pre-ResNet: residual units between a DenseNet's stage borders.

The workshop paper describes them in words only; the construction was found from its parameter counts. The
paper's four Match-Wide-ResNets agree within 1 %. For Match-Pre-ResNet neither this nor any other natural rule
gives the printed counts: 14-0.5 has 5.731 M where 7.3 M is printed (-21.50 %), 14-1 has 20.410 M where 17.7 M
is (+15.31 %).

The units have no dropout: the paper mentions it for Wide-ResNets alone.
"""

from abc import abstractmethod
from typing import ClassVar

from ban_ray.errors import UserError
from ban_ray.networks.architecture import register
from ban_ray.networks.families.match_densenet import TARGET, MatchNetwork
from ban_ray.networks.image_architecture import L, Layers, join_stages
from ban_ray.networks.names import DECIMAL, WHOLE, decimal_text


class MatchResNet(MatchNetwork):
    """``FAMILY-UNITS-RATIO``: stage b has `units` residual units of ``int(ratio * M_b)`` channels.

    The first unit of a stage goes from M_(b-1) to that width, always by a projection.

    Raises:
        UserError: no units, or a ratio that leaves no channel in some stage.
    """

    narrowing: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.narrowest) < 1:
            raise UserError(
                f"network {self.name}: ratio {decimal_text(self.ratios[0])} of {min(self.widths[1:])} "
                "channels leaves none for a convolution of some stage; a larger one is needed"
            )

    @property
    def hidden(self) -> tuple[int, ...]:
        """H_b: channels of each stage's residual units."""
        return tuple(int(self.ratios[0] * width) for width in self.widths[1:])

    @property
    def narrowest(self) -> tuple[int, ...]:
        """Channels of the narrowest convolution inside each stage's units."""
        return tuple(hidden // self.narrowing for hidden in self.hidden)

    @abstractmethod
    def unit(self, make: Layers[L], inputs: int, stage: int, *, projected: bool) -> L:
        """One residual unit of stage 0, 1 or 2."""

    def layers(self, make: Layers[L]) -> list[L]:
        stages = []
        for stage, (inputs, hidden) in enumerate(zip(self.widths[:3], self.hidden, strict=True)):
            first = self.unit(make, inputs, stage, projected=True)
            others = [self.unit(make, hidden, stage, projected=False) for _ in range(self.units - 1)]
            stages.append(([first, *others], hidden))
        return join_stages(make, self.widths, stages)


@register
class MatchWideResNet(MatchResNet):
    """``match-wide-resnet-UNITS-RATIO``: basic units of two 3x3 convolutions."""

    FORM = "match-wide-resnet-UNITS-RATIO[@densenet-bc-...]"
    PATTERN = rf"match-wide-resnet-{WHOLE}-{DECIMAL}{TARGET}"
    prefix = "match-wide-resnet"
    narrowing = 1

    def unit(self, make: Layers[L], inputs: int, stage: int, *, projected: bool) -> L:
        return make.basic_unit(inputs, self.hidden[stage], projected=projected)


@register
class MatchPreResNet(MatchResNet):
    """``match-pre-resnet-UNITS-RATIO``: bottleneck units, a quarter as wide inside as outside."""

    FORM = "match-pre-resnet-UNITS-RATIO[@densenet-bc-...]"
    PATTERN = rf"match-pre-resnet-{WHOLE}-{DECIMAL}{TARGET}"
    prefix = "match-pre-resnet"
    narrowing = 4

    def unit(self, make: Layers[L], inputs: int, stage: int, *, projected: bool) -> L:
        return make.bottleneck_unit(inputs, self.narrowest[stage], self.hidden[stage], projected=projected)
