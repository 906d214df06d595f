"""Match-DenseNet: a DenseNet of other depth or inner widths with the same widths at its stages' borders.

Match-DenseNet-14-1-2 is DenseNet-90-60 itself. Match-DenseNet-14-1-3 has 40.270 M parameters by these rules,
exactly half of the 80.5 M that the workshop paper prints (-49.97 %); the papers' other five agree within 1 %.
"""

from ban_ray.networks.families.match_densenet import MatchDenseNet
from ban_ray.networks.modules.dense_unit import dense_units
from ban_ray.networks.modules.layers import Classifier, NormConv
from ban_ray.networks.modules.stages import build_stages


def build(architecture: MatchDenseNet, num_classes: int, in_channels: int) -> Classifier:
    """(b, in_channels, h, w) with h and w at least 4, to logits (b, num_classes)."""
    widths, count = architecture.target.widths, architecture.units
    stages = []
    for inputs, entry, growth in zip(widths[:3], architecture.entries, architecture.growths, strict=True):
        units = dense_units(entry, growth, count)
        if architecture.ratio_in != 1:
            units.insert(0, NormConv(inputs, entry, 1))
        stages.append((units, entry + count * growth))
    return build_stages(widths, stages, num_classes, in_channels)
