"""``cutmix``: a rectangle of another image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.augmentations.base import Draws, MixingAugmentation, register
from ban_ray.augmentations.erase import inside_box
from ban_ray.augmentations.mixup import beta

if TYPE_CHECKING:
    from torch import Generator, Tensor


@register
@dataclass(frozen=True)
class CutMix(MixingAugmentation):
    """CutMix (Yun et al. 2019): a rectangle of ``1 - m`` of the area, m of Beta(alpha, alpha), from another image.

    One rectangle for a batch, its centre anywhere and cut off at the borders; labels are mixed by the area that it
    covers then.
    """

    name = "cutmix"
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"alpha": (1e-3, 100)}

    alpha: float = 1.0

    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        import torch

        side = (1 - beta(generator, self.alpha)).sqrt()
        centre = torch.rand(2, generator=generator, dtype=torch.float64)
        size = torch.tensor([height, width], dtype=torch.float64)
        half = (size * side).floor() / 2
        start = (centre * size - half).floor().clamp_min(0)
        end = torch.minimum((centre * size + half).floor(), size)
        box = torch.cat([start, (end - start).clamp_min(0)])
        share = 1 - box[2] * box[3] / (height * width)
        return {"box": box.expand(batch, 4), "share": share.float().expand(batch)}

    def mix(self, images: Tensor, others: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        return others.where(inside_box(draws["box"], *images.shape[2:])[:, None], images), draws["share"]
