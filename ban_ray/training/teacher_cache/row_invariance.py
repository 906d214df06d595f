"""Forward passes in which the bits of a row depend neither on its position in the batch nor on its neighbours.

Convolutions treat the images of a batch alike. Matrix products do not: their libraries compute the rows at an edge, or
those that begin at another alignment, by other instructions, whose sums are rounded in another order.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_MAX_PRODUCTS = 2**26
"""Products of a linear layer that is computed row by row; a larger one would take too much memory."""


class RowInvariantLinear(TorchFunctionMode):
    """A context in which linear layers on (b, n) inputs compute every output as a sum of its own products, in fp32."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (_linear if func is F.linear else func)(*args, **(kwargs or {}))


def _linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if inputs.dim() != 2 or len(inputs) * weight.numel() > _MAX_PRODUCTS:
        return F.linear(inputs, weight, bias)
    sums = (inputs.float()[:, None] * weight.float()).sum(2)
    return sums if bias is None else sums + bias.float()


def channels_last(inputs: Tensor) -> Tensor:
    """The inputs in the memory order in which batches of images are made, (b, c, h, w) with channels last."""
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs.contiguous()


@torch.no_grad()
def is_row_invariant(teacher: Callable[[Tensor], Tensor], batch: int, like: Tensor) -> bool:
    """Whether a teacher's outputs keep their bits when rows are moved and when their neighbours change.

    The trial inputs are fixed random numbers, so that a machine always gives the same answer.

    Args:
        teacher: inputs (batch, ...) to outputs (batch, C).
        like: inputs (b, ...), whose shape but for b, type and device are taken.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, *like.shape[1:], generator=generator).to(like.device, like.dtype)
    other_neighbours = inputs.clone()
    other_neighbours[batch // 2 :] = inputs[:1]
    with RowInvariantLinear():
        plain = teacher(channels_last(inputs))
        for shift in {1, batch // 2, batch - 1}:
            if not torch.equal(teacher(channels_last(inputs.roll(shift, 0))).roll(-shift, 0), plain):
                return False
        return torch.equal(teacher(channels_last(other_neighbours))[: batch // 2], plain[: batch // 2])
