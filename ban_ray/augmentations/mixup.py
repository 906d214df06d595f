"""``mixup``: weighted means of two images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.augmentations.base import Draws, MixingAugmentation, register

if TYPE_CHECKING:
    from torch import Generator, Tensor


@register
@dataclass(frozen=True)
class Mixup(MixingAugmentation):
    """Mixup (Zhang et al. 2018): ``x = m x_i + (1 - m) x_j``, m of Beta(alpha, alpha), one for a batch as in timm."""

    name = "mixup"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"alpha": (1e-3, 100)}

    alpha: float = 0.2

    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        return {"share": beta(generator, self.alpha).float().expand(batch)}

    def mix(self, images: Tensor, others: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        share = draws["share"]
        return others.lerp(images, share.view(-1, 1, 1, 1)), share


def beta(generator: Generator, alpha: float) -> Tensor:
    """A number of Beta(alpha, alpha), as a ratio of two of Gamma(alpha)."""
    import torch

    gammas = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator=generator)
    return gammas[0] / gammas.sum().clamp_min(1e-300)
