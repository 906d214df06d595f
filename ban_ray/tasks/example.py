"""A batch of noise in a task's shape, for measuring."""

from collections.abc import Sequence

import torch
from torch import Tensor


def random_batch(
    sample_shape: Sequence[int], num_classes: int, batch: int, unroll: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Inputs and labels (unroll * batch,): images (batch, c, h, w) of a shape (h, w, c), or tokens (unroll, batch)."""
    labels = torch.randint(0, num_classes, (unroll * batch,), device=device)
    if not sample_shape:
        return torch.randint(0, num_classes, (unroll, batch), device=device), labels
    height, width, channels = sample_shape
    images = torch.randn(batch, channels, height, width, device=device).to(memory_format=torch.channels_last)
    return images, labels
