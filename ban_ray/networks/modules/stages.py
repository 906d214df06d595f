"""What DenseNet-BC and every Match network share: a 3x3 stem and three stages, each followed by a transition.

A transition is BN-ReLU-1x1; after the first two stages a 2x2 average pool follows it. The third transition is
not in Huang et al.'s network; the papers' parameter counts ask for it.
"""

from collections.abc import Iterable

from torch import nn

from ban_ray.networks.modules.layers import Classifier, NormConv, conv


def build_stages(
    widths: tuple[int, int, int, int],
    stages: Iterable[tuple[list[nn.Module], int]],
    num_classes: int,
    in_channels: int,
) -> Classifier:
    """(b, in_channels, h, w) with h and w at least 4, to logits (b, num_classes).

    Args:
        widths: channels after the stem and after each stage's transition.
        stages: for each stage its units, from ``widths[stage]`` channels, and the channels they end with.
    """
    body: list[nn.Module] = []
    for stage, (units, channels) in enumerate(stages):
        body += [*units, NormConv(channels, widths[stage + 1], 1)]
        if stage < 2:
            body.append(nn.AvgPool2d(2))
    return Classifier(conv(in_channels, widths[0], 3), nn.Sequential(*body), widths[3], num_classes)
