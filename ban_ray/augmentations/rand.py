"""``rand``: some random operations of one strength for each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.augmentations.base import Draws, PixelAugmentation, register
from ban_ray.augmentations.pixel_operations import OPERATIONS, apply_operations
from ban_ray.augmentations.trivial import signed

if TYPE_CHECKING:
    from torch import Generator, Tensor


@register
@dataclass(frozen=True)
class RandAugment(PixelAugmentation):
    """RandAugment (Cubuk et al. 2020): `n` operations of strength `m` in 0..30, as torchvision's ``RandAugment``."""

    name = "rand"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"n": (1, 14), "m": (0, 30)}

    n: int = 2
    m: int = 9

    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        import torch

        chosen = torch.randint(len(OPERATIONS), (batch, self.n), generator=generator)
        sign = torch.randint(2, (batch, self.n), generator=generator) * 2 - 1
        return {"chosen": chosen, "magnitude": self._magnitudes(height, width)[chosen] * sign.where(signed(chosen), 1)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        for chosen, magnitude in zip(draws["chosen"].unbind(1), draws["magnitude"].unbind(1), strict=True):
            images = apply_operations(images, chosen, magnitude)
        return images

    def _magnitudes(self, height: int, width: int) -> Tensor:
        """(operations,)"""
        import torch

        part = self.m / 30
        bits = float(torch.tensor(8 - self.m / 7.5).round())
        moved = (150.0 / 331.0 * width * part, 150.0 / 331.0 * height * part)
        return torch.tensor(
            [0.0, 0.3 * part, 0.3 * part, *moved, 30 * part, *[0.9 * part] * 4, bits, 1 - part, 0.0, 0.0],
            dtype=torch.float64,
        )
