"""``erase``: a random rectangle is set to the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.augmentations.base import Draws, ImageAugmentation, register

if TYPE_CHECKING:
    from torch import Generator, Tensor


@register
@dataclass(frozen=True)
class RandomErasing(ImageAugmentation):
    """Random erasing (Zhong et al. 2017): with probability `p`, a rectangle becomes 0, the mean of the training set.

    It has 2 % to 33 % of the area and an aspect ratio between 0.3 and 3.3, log-uniformly, as in torchvision's
    ``RandomErasing``; where it would be longer than a side it is cut off there.
    """

    name = "erase"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"p": (0, 1)}

    p: float = 0.25

    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        import torch

        chosen, area, ratio, top, left = torch.rand(5, batch, generator=generator, dtype=torch.float64)
        area = height * width * (0.02 + 0.31 * area)
        ratio = torch.exp((2 * ratio - 1) * math.log(3.3))
        heights = (area * ratio).sqrt().round().clamp_max(height)
        widths = (area / ratio).sqrt().round().clamp_max(width)
        top = (top * (height - heights + 1)).floor()
        left = (left * (width - widths + 1)).floor()
        erased = chosen < self.p
        return {"box": torch.stack([top, left, heights * erased, widths * erased], 1)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return images.masked_fill(inside_box(draws["box"], *images.shape[2:])[:, None], 0.0)


def inside_box(box: Tensor, height: int, width: int) -> Tensor:
    """A mask (b, height, width) of the pixels in boxes (b, 4) of top, left, height and width."""
    import torch

    top, left, heights, widths = (part[:, None] for part in box.unbind(1))
    rows, columns = torch.arange(height, device=box.device), torch.arange(width, device=box.device)
    in_rows = (rows >= top) & (rows < top + heights)
    in_columns = (columns >= left) & (columns < left + widths)
    return in_rows[:, :, None] & in_columns[:, None, :]
