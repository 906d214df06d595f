"""Match networks, which have a DenseNet's widths at the borders of stages, and Match-DenseNet with dense units inside.

Match-DenseNet-14-1-2 is DenseNet-90-60 itself. Match-DenseNet-14-1-3 has 40.270 M parameters by these rules,
exactly half of the 80.5 M that the workshop paper prints (-49.97 %); the papers' other five agree within 1 %.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar, Self

from ban_ray.errors import UserError
from ban_ray.networks.architecture import register
from ban_ray.networks.families.densenet import DenseNetBC
from ban_ray.networks.image_architecture import ImageArchitecture, L, Layers, dense_units, join_stages
from ban_ray.networks.names import DECIMAL, WHOLE, decimal_text

TEACHER = DenseNetBC(90, 60)
"""The network that a Match name without a suffix matches: the teacher of the workshop paper's Table 2."""

TARGET = rf"(?:@{DenseNetBC.PATTERN})?"
"""The end of the patterns of Match networks."""


@dataclass(frozen=True)
class MatchNetwork(ImageArchitecture):
    """``FAMILY-UNITS-RATIOS``: stage b goes from M_(b-1) to M_b channels, the widths at the borders of `target`.

    Raises:
        UserError: fewer than one unit a stage.
    """

    prefix: ClassVar[str]

    units: int
    ratios: tuple[Decimal, ...]
    target: DenseNetBC = TEACHER

    def __post_init__(self) -> None:
        if self.units < 1:
            raise UserError(f"network {self.name}: {self.units} units a stage are too few; at least 1 is needed")

    @classmethod
    def from_groups(cls, *groups: str | None) -> Self:
        units, *ratios, depth, growth, compression = groups
        target = DenseNetBC.from_groups(depth, growth, compression) if depth else TEACHER
        return cls(int(units or 0), tuple(Decimal(ratio or 0) for ratio in ratios), target)

    @property
    def widths(self) -> tuple[int, int, int, int]:
        return self.target.widths

    @property
    def name(self) -> str:
        suffix = "" if self.target == TEACHER else f"@{self.target.name}"
        return f"{self.prefix}-{self.units}-{'-'.join(map(decimal_text, self.ratios))}{suffix}"


@register
class MatchDenseNet(MatchNetwork):
    """``match-densenet-UNITS-RIN-ROUT``: dense units that go from RIN M_(b-1) to ROUT M_b channels in stage b.

    Unless RIN is 1, an entry adaptor narrows or widens M_(b-1) to ``int(RIN M_(b-1))`` first.

    Raises:
        UserError: no units, an entry without channels, or a growth below 1 in some stage.
    """

    FORM = "match-densenet-UNITS-RIN-ROUT[@densenet-bc-...]"
    PATTERN = rf"match-densenet-{WHOLE}-{DECIMAL}-{DECIMAL}{TARGET}"
    prefix = "match-densenet"
    recomputable = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.entries) < 1:
            raise UserError(
                f"network {self.name}: RIN {decimal_text(self.ratios[0])} of {min(self.widths[:3])} "
                "channels leaves none at a stage's entry; a larger one is needed"
            )
        if min(self.growths) < 1:
            raise UserError(
                f"network {self.name}: the growths of its stages would be {', '.join(map(str, self.growths))}; each "
                "must be at least 1, so fewer units, a smaller RIN or a larger ROUT is needed"
            )

    @property
    def entries(self) -> tuple[int, ...]:
        """Channels at the first dense unit of each stage."""
        return tuple(int(self.ratios[0] * width) for width in self.widths[:3])

    @property
    def growths(self) -> tuple[int, ...]:
        """K of each stage; the floor of (ROUT M_b - RIN M_(b-1)) / units."""
        ratio_in, ratio_out = self.ratios
        return tuple(
            int((ratio_out * after - ratio_in * before) // self.units) for before, after in pairwise(self.widths)
        )

    def layers(self, make: Layers[L]) -> list[L]:
        stages = []
        for inputs, entry, growth in zip(self.widths[:3], self.entries, self.growths, strict=True):
            units, outputs = dense_units(make, entry, growth, self.units)
            adaptor = [] if self.ratios[0] == 1 else [make.norm_conv(inputs, entry, 1)]
            stages.append(([*adaptor, *units], outputs))
        return join_stages(make, self.widths, stages)
