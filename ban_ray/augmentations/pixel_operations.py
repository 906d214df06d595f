"""The image operations of AutoAugment and its successors, for batches in which each image has its own magnitude.

Each equals torchvision.transforms.v2.functional on tensors, with the interpolation (nearest) and the fill (black) that
torchvision's TrivialAugmentWide and RandAugment have by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Operation = Callable[["Tensor", "Tensor"], "Tensor"]
"""Bytes (b, channels, height, width) and magnitudes (b,), doubles, to bytes of the same shape."""


def shear_x(images: Tensor, magnitude: Tensor) -> Tensor:
    """Shear by an angle whose tangent is the magnitude; the upper left corner stays."""
    return _affine(images, (1.0, magnitude, magnitude * 0.5 * images.shape[2]), (0.0, 1.0, 0.0))


def shear_y(images: Tensor, magnitude: Tensor) -> Tensor:
    """As `shear_x`, along the other axis."""
    return _affine(images, (1.0, 0.0, 0.0), (magnitude, 1.0, magnitude * 0.5 * images.shape[3]))


def translate_x(images: Tensor, magnitude: Tensor) -> Tensor:
    """Move by whole pixels."""
    return _affine(images, (1.0, 0.0, -magnitude.trunc()), (0.0, 1.0, 0.0))


def translate_y(images: Tensor, magnitude: Tensor) -> Tensor:
    """Move by whole pixels."""
    return _affine(images, (1.0, 0.0, 0.0), (0.0, 1.0, -magnitude.trunc()))


def rotate(images: Tensor, magnitude: Tensor) -> Tensor:
    """Rotate counter-clockwise by degrees around the centre."""
    angle = magnitude.deg2rad()
    cosine, sine = angle.cos(), angle.sin()
    return _affine(images, (cosine, -sine, 0.0), (sine, cosine, 0.0))


def brightness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Multiply by one plus the magnitude."""
    return (images * _per_image(1 + magnitude)).clamp_(0, 255).to(images.dtype)


def color(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with the grey image."""
    return images if images.shape[1] == 1 else _blend(images, _grey(images), magnitude)


def contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with the mean of the grey image."""
    return _blend(images, _grey(images).mean((1, 2, 3), keepdim=True), magnitude)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Blend with a blurred image, but for the border of one pixel."""
    import torch

    channels, height, width = images.shape[1:]
    if height <= 2 or width <= 2:
        return images
    kernel = torch.full((3, 3), 1.0 / 13.0, device=images.device)
    kernel[1, 1] = 5.0 / 13.0
    output = images.float()
    blurred = torch.nn.functional.conv2d(output, kernel.expand(channels, 1, 3, 3), groups=channels).round_()
    inner = output[..., 1:-1, 1:-1]
    inner.addcmul_(blurred - inner, _per_image(1 - (1 + magnitude)))
    return output.clamp_(0, 255).to(images.dtype)


def posterize(images: Tensor, magnitude: Tensor) -> Tensor:
    """Keep so many bits of each byte."""
    import torch

    masks = torch.tensor([(0xFF << (8 - bits)) & 0xFF for bits in range(9)], dtype=torch.uint8, device=images.device)
    return images & _per_image(masks[magnitude.long()])


def solarize(images: Tensor, magnitude: Tensor) -> Tensor:
    """Invert the bytes from the magnitude times 255 on."""
    return (255 - images).where(images >= _per_image(255 * magnitude), images)


def autocontrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Stretch each channel from 0 to 255."""
    from torchvision.transforms.v2 import functional

    stretched: Tensor = functional.autocontrast(images)
    return stretched


def equalize(images: Tensor, magnitude: Tensor) -> Tensor:
    """Equalise the histogram of each channel."""
    from torchvision.transforms.v2 import functional

    equalised: Tensor = functional.equalize(images)
    return equalised


OPERATIONS: tuple[Operation, ...] = (
    lambda images, magnitude: images,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
    rotate,
    brightness,
    color,
    contrast,
    sharpness,
    posterize,
    solarize,
    autocontrast,
    equalize,
)
"""In torchvision's order, the identity first."""

UNSIGNED = (0, 10, 11, 12, 13)
"""Positions of the operations whose magnitudes have no direction."""


def apply_operations(images: Tensor, chosen: Tensor, magnitudes: Tensor) -> Tensor:
    """Bytes (b, height, width, channels), each image changed by the operation chosen for it.

    Args:
        chosen: (b,) positions in `OPERATIONS`, on the CPU, so that no GPU is waited for.
        magnitudes: (b,) on the images' device.
    """
    import torch

    output = images.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
    for position in sorted(set(chosen.tolist())):
        if position:
            rows = (chosen == position).nonzero()[:, 0].to(images.device, non_blocking=True)
            output[rows] = OPERATIONS[position](output[rows], magnitudes[rows])
    return output.permute(0, 2, 3, 1).contiguous()


def _per_image(values: Tensor) -> Tensor:
    """(b,) numbers to (b, 1, 1, 1), doubles to floats."""
    import torch

    return (values.float() if values.dtype == torch.float64 else values).view(-1, 1, 1, 1)


def _blend(images: Tensor, others: Tensor, magnitude: Tensor) -> Tensor:
    ratio = 1 + magnitude
    return (images * _per_image(ratio)).addcmul_(others, _per_image(1 - ratio)).clamp_(0, 255).to(images.dtype)


def _grey(images: Tensor) -> Tensor:
    """(b, 1, height, width) floats that are whole numbers."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.unbind(1)
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()[:, None]


def _affine(images: Tensor, x: tuple[float | Tensor, ...], y: tuple[float | Tensor, ...]) -> Tensor:
    """Each output pixel taken from the nearest one at an affine function of its own place, or 0 outside.

    Args:
        x, y: coefficients of the column, the row and 1, in pixels from the image's centre; numbers or (b,).
    """
    import torch

    batch, _, height, width = images.shape

    def coefficients(row: tuple[float | Tensor, ...]) -> Tensor:
        values = [torch.as_tensor(value, dtype=torch.float64, device=images.device).expand(batch) for value in row]
        return torch.stack(values, 1)

    theta = torch.stack([coefficients(x), coefficients(y)], 1).float()
    columns = torch.linspace((1.0 - width) * 0.5, (width - 1.0) * 0.5, width, device=images.device)
    rows = torch.linspace((1.0 - height) * 0.5, (height - 1.0) * 0.5, height, device=images.device)
    places = torch.cartesian_prod(rows, columns)
    base = torch.stack([places[:, 1], places[:, 0], torch.ones_like(places[:, 0])], 1)
    scale = torch.tensor([0.5 * width, 0.5 * height], device=images.device)
    grid = base.expand(batch, -1, -1).bmm(theta.transpose(1, 2) / scale)
    sampled = torch.nn.functional.grid_sample(
        images.float(), grid.view(batch, height, width, 2), mode="nearest", padding_mode="zeros", align_corners=False
    )
    return sampled.round_().to(images.dtype)
