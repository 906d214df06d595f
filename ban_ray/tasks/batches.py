"""Batches: the input of a training step, their number in an epoch, and one of noise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ban_ray.errors import UserError
from ban_ray.objectives import MixedLabels
from ban_ray.specs import Recipe
from ban_ray.tasks.catalog import task_type

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Batch(NamedTuple):
    """A worker's part of a mini-batch.

    Attributes:
        inputs: of b samples, as the network takes them.
        labels: (b,), of a text (unroll * b,); of mixed images those with the larger shares.
        views: (b,) int64 on the CPU, the number of each input among all augmented inputs, below the task's `views`;
            None where samples have no views.
        mixed: of mixed images, else None.
    """

    inputs: "Tensor"
    labels: "Tensor"
    views: "Tensor | None" = None
    mixed: "MixedLabels | None" = None


def steps_per_epoch(task: str, samples: int, recipe: Recipe) -> int:
    """Whole batches of training images, or of streams of training tokens with `unroll` steps each.

    Raises:
        UserError: no batch can be filled, or the recipe unrolls images, or does not unroll text.
    """
    kind = task_type(task)
    if kind.unrolls != (recipe.unroll > 1):
        need, space = (
            ("at least 2 are needed for text", "language_models") if kind.unrolls else ("1 is allowed", "chain")
        )
        raise UserError(
            f"the recipe unrolls {recipe.unroll} steps in time and task {task} has {kind.sample_noun}: {need}, as in "
            f"space {space}"
        )
    steps = samples // (recipe.batch_size * recipe.unroll)
    if not steps:
        unrolled = f" with {recipe.unroll} unrolled steps" if recipe.unroll > 1 else ""
        most = samples // recipe.unroll
        allowed = f"allowed are 1 to {most}" if most else f"at least {recipe.unroll} {kind.sample_noun} are needed"
        raise UserError(
            f"batch size {recipe.batch_size}{unrolled} is larger than the {samples} training "
            f"{kind.sample_noun}; {allowed}"
        )
    return steps


def copy_to(device: "torch.device", tensor: "Tensor") -> "Tensor":
    """A tensor of the CPU on a device; no GPU is waited for."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def random_batch(
    sample_shape: Sequence[int], num_classes: int, batch: int, unroll: int, device: "torch.device"
) -> "tuple[Tensor, Tensor]":
    """Noise in a task's shape, for measuring.

    Returns:
        Images (batch, c, h, w) of a shape (h, w, c), or tokens (unroll, batch); labels (unroll * batch,).
    """
    import torch

    labels = torch.randint(0, num_classes, (unroll * batch,), device=device)
    if not sample_shape:
        return torch.randint(0, num_classes, (unroll, batch), device=device), labels
    height, width, channels = sample_shape
    images = torch.randn(batch, channels, height, width, device=device).to(memory_format=torch.channels_last)
    return images, labels
