"""Wide-ResNet (Zagoruyko and Komodakis 2016), with dropout between the two convolutions of a unit."""

from itertools import pairwise

from torch import nn

from ban_ray.networks.families.resnet import WideResNet
from ban_ray.networks.modules.layers import Classifier, conv
from ban_ray.networks.modules.residual_unit import basic_unit

DROPOUT = 0.3


def build(architecture: WideResNet, num_classes: int, in_channels: int) -> Classifier:
    """(b, in_channels, h, w) of any size, to logits (b, num_classes).

    As in the authors' code, stages 2 and 3 halve the size, and a shortcut is a projection where the number of
    channels changes.
    """
    widths = architecture.widths
    body: list[nn.Module] = []
    for stage, (inputs, outputs) in enumerate(pairwise(widths)):
        stride = 1 if stage == 0 else 2
        body.append(basic_unit(inputs, outputs, projected=inputs != outputs, stride=stride, dropout=DROPOUT))
        body += [basic_unit(outputs, outputs, projected=False, dropout=DROPOUT) for _ in range(architecture.units - 1)]
    return Classifier(conv(in_channels, widths[0], 3), nn.Sequential(*body), widths[3], num_classes)
