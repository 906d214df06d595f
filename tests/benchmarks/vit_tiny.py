"""A vision transformer of DeiT-tiny's width for images of 32 x 32 pixels, as a builder of the user's own."""

from torch import nn
from torchvision.models import VisionTransformer

IMAGE, PATCH, WIDTH = 32, 4, 192


def build(num_classes: int, in_channels: int) -> nn.Module:
    """12 layers of 3 heads on 8 x 8 patches."""
    network: nn.Module = VisionTransformer(
        image_size=IMAGE,
        patch_size=PATCH,
        num_layers=12,
        num_heads=3,
        hidden_dim=WIDTH,
        mlp_dim=4 * WIDTH,
        num_classes=num_classes,
    )
    if in_channels != 3:
        network.conv_proj = nn.Conv2d(in_channels, WIDTH, PATCH, PATCH)
    return network
