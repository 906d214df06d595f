"""DenseNet-BC (Huang et al. 2017) with the third transition that the papers' parameter counts ask for.

DenseNet-BC-112-33 has 7.494 M parameters by these rules where the workshop paper prints 6.3 M, a deviation of
+18.95 %; the printed count is DenseNet-106-33 without the third transition (6.361 M). The other three of the
papers agree within 1 %.
"""

from torch import nn

from ban_ray.networks.families.densenet import DenseNetBC
from ban_ray.networks.modules.dense_unit import dense_units
from ban_ray.networks.modules.layers import Classifier
from ban_ray.networks.modules.stages import build_stages


def build(architecture: DenseNetBC, num_classes: int, in_channels: int) -> Classifier:
    """(b, in_channels, h, w) with h and w at least 4, to logits (b, num_classes)."""
    growth, units = architecture.growth, architecture.units
    stages: list[tuple[list[nn.Module], int]] = [
        (dense_units(inputs, growth, units), inputs + units * growth) for inputs in architecture.widths[:3]
    ]
    return build_stages(architecture.widths, stages, num_classes, in_channels)
