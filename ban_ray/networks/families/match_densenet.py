"""The DenseNet that Match networks have their stages' widths from, and Match-DenseNet."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from ban_ray.errors import UserError
from ban_ray.networks.architecture import decimal_text
from ban_ray.networks.families.densenet import DenseNetBC, skeleton_parameters
from ban_ray.networks.modules import parameter_counts

TEACHER = DenseNetBC(90, 60)
"""The network that a Match name without a suffix matches: the teacher of the workshop paper's Table 2."""


def suffix(target: DenseNetBC) -> str:
    """The end of a Match network's name; empty for the papers' teacher."""
    return "" if target == TEACHER else f"@{target.name}"


def check_units(name: str, units: int) -> None:
    """Refuse an empty stage.

    Raises:
        UserError: fewer than one unit.
    """
    if units < 1:
        raise UserError(f"network {name}: {units} units a stage are too few; at least 1 is needed")


@dataclass(frozen=True)
class MatchDenseNet:
    """``match-densenet-UNITS-RIN-ROUT``: dense units that go from RIN M_(b-1) to ROUT M_b channels in stage b.

    Unless RIN is 1, an entry adaptor narrows or widens M_(b-1) to ``int(RIN M_(b-1))`` first.

    Raises:
        UserError: no units, an entry without channels, or a growth below 1 in some stage.
    """

    units: int
    ratio_in: Decimal
    ratio_out: Decimal
    target: DenseNetBC = TEACHER

    def __post_init__(self) -> None:
        check_units(self.name, self.units)
        if min(self.entries) < 1:
            raise UserError(
                f"network {self.name}: RIN {decimal_text(self.ratio_in)} of {min(self.target.widths[:3])} "
                "channels leaves none at a stage's entry; a larger one is needed"
            )
        if min(self.growths) < 1:
            raise UserError(
                f"network {self.name}: the growths of its stages would be {', '.join(map(str, self.growths))}; each "
                "must be at least 1, so fewer units, a smaller RIN or a larger ROUT is needed"
            )

    @property
    def name(self) -> str:
        ratios = f"{decimal_text(self.ratio_in)}-{decimal_text(self.ratio_out)}"
        return f"match-densenet-{self.units}-{ratios}{suffix(self.target)}"

    @property
    def entries(self) -> tuple[int, int, int]:
        """Channels at the first dense unit of each stage."""
        first, second, third = (int(self.ratio_in * width) for width in self.target.widths[:3])
        return first, second, third

    @property
    def growths(self) -> tuple[int, int, int]:
        """K of each stage; the floor of (ROUT M_b - RIN M_(b-1)) / units."""
        widths = self.target.widths
        first, second, third = (
            int((self.ratio_out * after - self.ratio_in * before) // self.units) for before, after in pairwise(widths)
        )
        return first, second, third

    def parameters(self, num_classes: int, in_channels: int) -> int:
        stages = []
        for inputs, entry, growth in zip(self.target.widths[:3], self.entries, self.growths, strict=True):
            adaptor = 0 if self.ratio_in == 1 else parameter_counts.norm_conv(inputs, entry, 1)
            inside = parameter_counts.dense_units(entry, growth, self.units)
            stages.append((adaptor + inside, entry + self.units * growth))
        return skeleton_parameters(self.target.widths, stages, num_classes, in_channels)
