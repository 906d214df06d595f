"""Match-Wide-ResNet and Match-Pre-ResNet: residual units between a DenseNet's stage borders.

The workshop paper describes them in words only; the construction was found from its parameter counts. The
paper's four Match-Wide-ResNets agree within 1 %. For Match-Pre-ResNet neither this nor any other natural rule
gives the printed counts: 14-0.5 has 5.731 M where 7.3 M is printed (-21.50 %), 14-1 has 20.410 M where 17.7 M
is (+15.31 %).

The units have no dropout: the paper mentions it for Wide-ResNets alone.
"""

from collections.abc import Callable

from torch import nn

from ban_ray.networks.families.match_resnet import MatchPreResNet, MatchResNet, MatchWideResNet
from ban_ray.networks.modules.layers import Classifier
from ban_ray.networks.modules.residual_unit import basic_unit, bottleneck_unit
from ban_ray.networks.modules.stages import build_stages


def _build(
    architecture: MatchResNet, unit: Callable[[int, int, bool], nn.Module], num_classes: int, in_channels: int
) -> Classifier:
    widths = architecture.target.widths
    stages = []
    for stage, (inputs, hidden) in enumerate(zip(widths[:3], architecture.hidden, strict=True)):
        units = [unit(stage, inputs, True)]
        units += [unit(stage, hidden, False) for _ in range(architecture.units - 1)]
        stages.append((units, hidden))
    return build_stages(widths, stages, num_classes, in_channels)


def build_wide(architecture: MatchWideResNet, num_classes: int, in_channels: int) -> Classifier:
    """(b, in_channels, h, w) with h and w at least 4, to logits (b, num_classes)."""

    def unit(stage: int, inputs: int, projected: bool) -> nn.Module:
        return basic_unit(inputs, architecture.hidden[stage], projected=projected)

    return _build(architecture, unit, num_classes, in_channels)


def build_pre(architecture: MatchPreResNet, num_classes: int, in_channels: int) -> Classifier:
    """(b, in_channels, h, w) with h and w at least 4, to logits (b, num_classes)."""

    def unit(stage: int, inputs: int, projected: bool) -> nn.Module:
        inner, outputs = architecture.narrowest[stage], architecture.hidden[stage]
        return bottleneck_unit(inputs, inner, outputs, projected=projected)

    return _build(architecture, unit, num_classes, in_channels)
