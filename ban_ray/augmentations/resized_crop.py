"""``resized-crop``: a part of the image of random size and shape, resized to the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.augmentations.base import Draws, PixelAugmentation, register

if TYPE_CHECKING:
    from torch import Generator, Tensor


@register
@dataclass(frozen=True)
class RandomResizedCrop(PixelAugmentation):
    """Random resized crop (Szegedy et al. 2015), bilinear, as torchvision's ``RandomResizedCrop`` computes it.

    The part has between `scale` and all of the image's area, uniformly, and an aspect ratio between 3/4 and 4/3,
    log-uniformly. Where such a part is longer than a side it is cut off at the side; torchvision draws again.
    """

    name = "resized-crop"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"scale": (1e-3, 1)}

    scale: float = 0.08

    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        import torch

        area, ratio, top, left = torch.rand(4, batch, generator=generator, dtype=torch.float64)
        area = height * width * (self.scale + (1 - self.scale) * area)
        ratio = torch.exp((2 * ratio - 1) * math.log(4 / 3))
        widths = (area * ratio).sqrt().round().clamp(1, width)
        heights = (area / ratio).sqrt().round().clamp(1, height)
        top = (top * (height - heights + 1)).floor()
        left = (left * (width - widths + 1)).floor()
        return {"box": torch.stack([top, left, heights, widths], 1)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        top, left, heights, widths = draws["box"].unbind(1)
        _, height, width, _ = images.shape
        rows = _resampled(images.float(), 1, *_positions(top, heights, height))
        return _resampled(rows, 2, *_positions(left, widths, width)).round_().to(images.dtype)


def _positions(start: Tensor, length: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of an axis are taken from: the lower neighbours (b, size) and the upper ones' weights."""
    import torch

    centres = torch.arange(size, device=start.device, dtype=start.dtype) + 0.5
    position = (centres * (length / size)[:, None] - 0.5).clamp_min(0)
    lower = position.floor().clamp_max((length - 1)[:, None])
    return (start[:, None] + lower).long(), torch.where(lower < (length - 1)[:, None], position - lower, 0.0).float()


def _resampled(images: Tensor, axis: int, lower: Tensor, weight: Tensor) -> Tensor:
    """Images (b, h, w, c) with an axis read between pixels."""
    shape = [len(images), 1, 1, 1]
    shape[axis] = -1
    size = list(images.shape)
    index, weight = lower.view(shape), weight.view(shape)
    low = images.gather(axis, index.expand(size))
    high = images.gather(axis, (index + 1).clamp_max(size[axis] - 1).expand(size))
    return low + weight * (high - low)
