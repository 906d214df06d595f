"""A teacher's outputs by view: computed once in half precision, then looked up.

An image has few views (crops and mirrorings), so that students of one teacher need the same outputs again. Each output
is a pure function of the teacher and the view: the teacher computes batches of one fixed size, in which the bits of a
row depend neither on its position nor on its neighbours (`RowInvariantLinear`), and its outputs are rounded whether or
not they are cached. Nothing is cached of a teacher that a trial shows to be otherwise.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable

_MAX_PRODUCTS = 2**26
"""Products of a linear layer that is computed row by row; a larger one would take too much memory."""


class CachedTeacher:
    """Takes the place of a teacher's forward pass."""

    def __init__(self, batch: int, table: SharedMemoryTable | None = None) -> None:
        """Args:
        batch: number of views that the teacher always computes at once; no more may be asked for at once.
        table: of cached outputs; None to cache none.
        """
        self._batch, self._table = batch, table
        self._num_asked = self._num_found = 0
        # Rows that are in the table come from a process that has tried.
        self._row_invariant: bool | None = True if table is not None and len(table) else None

    def hit_rate(self) -> float:
        """The share of outputs that were cached since the last call, 0 to 1."""
        share = self._num_found / max(1, self._num_asked)
        self._num_asked = self._num_found = 0
        return share

    def outputs(self, teacher: Callable[[Tensor], Tensor], inputs: Tensor, views: Tensor | None) -> Tensor:
        """Log-probabilities (b, C) in float32, rounded to half precision and normalised again.

        Args:
            teacher: inputs (batch, ...) to log-probabilities (batch, C).
            inputs: (b, ...) on the teacher's device.
            views: (b,) int64 on the CPU.
        """
        assert views is not None
        self._num_asked += len(views)
        if self._table is not None and self._row_invariant is None:
            self._row_invariant = is_row_invariant(teacher, self._batch, inputs)
        if self._table is None or not self._row_invariant:
            return _normalise(self._compute(teacher, inputs))
        numbers = views.numpy()
        found, rows = self._table.lookup(numbers)
        self._num_found += len(rows)
        cached = torch.from_numpy(rows).to(inputs.device, non_blocking=True)
        if len(rows) == len(numbers):
            return _normalise(cached)
        missing, present = (torch.from_numpy(np.flatnonzero(mask)).to(inputs.device) for mask in (~found, found))
        computed = self._compute(teacher, inputs[missing])
        self._table.add(numbers[~found], computed.cpu().numpy())
        outputs = computed.new_empty(len(numbers), computed.shape[1])
        outputs[missing], outputs[present] = computed, cached
        return _normalise(outputs)

    def _compute(self, teacher: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Outputs in half precision; copies of the first row fill up a batch that is not full."""
        count = len(inputs)
        if count < self._batch:
            inputs = torch.cat([inputs, inputs[:1].expand(self._batch - count, *inputs.shape[1:])])
        with RowInvariantLinear():
            return teacher(channels_last(inputs))[:count].half()


def _normalise(rows: Tensor) -> Tensor:
    return F.log_softmax(rows.float(), 1)


class RowInvariantLinear(TorchFunctionMode):
    """A context in which linear layers on (b, n) inputs compute every output as a sum of its own products, in fp32.

    Convolutions treat the images of a batch alike. Matrix products do not: their libraries compute the rows at an edge,
    or those that begin at another alignment, by other instructions, whose sums are rounded in another order.
    """

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
