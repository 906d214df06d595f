"""``trivial``: one random operation of random strength for each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ban_ray.augmentations.base import Draws, PixelAugmentation, register
from ban_ray.augmentations.pixel_operations import OPERATIONS, UNSIGNED, apply_operations

if TYPE_CHECKING:
    from torch import Generator, Tensor

STRENGTHS = 31


@register
@dataclass(frozen=True)
class TrivialAugment(PixelAugmentation):
    """TrivialAugment Wide (Müller and Hutter 2021), with the ranges of torchvision's ``TrivialAugmentWide``."""

    name = "trivial"

    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        import torch

        chosen = torch.randint(len(OPERATIONS), (batch,), generator=generator)
        strength = torch.randint(STRENGTHS, (batch,), generator=generator)
        sign = torch.randint(2, (batch,), generator=generator) * 2 - 1
        return {"chosen": chosen, "magnitude": _magnitudes()[chosen, strength] * sign.where(signed(chosen), 1)}

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        return apply_operations(images, draws["chosen"], draws["magnitude"])


def signed(chosen: Tensor) -> Tensor:
    import torch

    return ~torch.isin(chosen, torch.tensor(UNSIGNED))


def _magnitudes() -> Tensor:
    """(operations, strengths)"""
    import torch

    def up_to(most: float) -> Tensor:
        return torch.linspace(0.0, most, STRENGTHS).double()

    bits = (8 - (torch.arange(STRENGTHS) / ((STRENGTHS - 1) / 6))).round().double()
    none = torch.zeros(STRENGTHS, dtype=torch.float64)
    return torch.stack(
        [
            *(none, up_to(0.99), up_to(0.99), up_to(32.0), up_to(32.0), up_to(135.0)),
            *(up_to(0.99), up_to(0.99), up_to(0.99), up_to(0.99), bits, torch.linspace(1.0, 0.0, STRENGTHS).double()),
            *(none, none),
        ]
    )
