"""Pre-activation ResNet with bottleneck units (He et al. 2016, "Identity mappings")."""

from itertools import pairwise

from torch import nn

from ban_ray.networks.families.resnet import PreResNet
from ban_ray.networks.modules.layers import Classifier, conv
from ban_ray.networks.modules.residual_unit import bottleneck_unit


def build(architecture: PreResNet, num_classes: int, in_channels: int) -> Classifier:
    """(b, in_channels, h, w) of any size, to logits (b, num_classes).

    The first unit of every stage has a projection; in stages 2 and 3 its 3x3 convolution halves the size.
    """
    widths = architecture.widths
    body: list[nn.Module] = []
    for stage, (inputs, outputs) in enumerate(pairwise(widths)):
        inner, stride = outputs // 4, 1 if stage == 0 else 2
        body.append(bottleneck_unit(inputs, inner, outputs, projected=True, stride=stride))
        body += [bottleneck_unit(outputs, inner, outputs, projected=False) for _ in range(architecture.units - 1)]
    return Classifier(conv(in_channels, widths[0], 3), nn.Sequential(*body), widths[3], num_classes)
