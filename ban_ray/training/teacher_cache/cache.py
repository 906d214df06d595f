"""A teacher's outputs by view: computed once in half precision, then read.

An image has few views (crops and mirrorings), so that students of one teacher ask again for the same outputs. Each is
a pure function of the teacher and the view whatever was asked before: the teacher computes batches of one fixed size,
in which a row's bits depend neither on its place nor on its neighbours (`row_invariance`), and what it
computed is rounded whether or not it is kept. Nothing is kept of a teacher for which a trial shows otherwise.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ban_ray.training.teacher_cache.row_invariance import RowInvariantLinear, channels_last, is_row_invariant
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable


class CachedTeacher:
    """Stands in for a teacher's forward pass."""

    def __init__(self, batch: int, rows: SharedMemoryTable | None = None) -> None:
        """Args:
        batch: views that the teacher computes at once, always as many; no more may be asked for at once.
        rows: where outputs are kept; None to keep none.
        """
        self._batch, self._rows = batch, rows
        self._asked = self._found = 0
        # Rows that are there come from a process that has tried.
        self._alone: bool | None = True if rows is not None and len(rows) else None

    def hit_rate(self) -> float:
        """Share of the outputs that were there already, 0 to 1, since this was last asked."""
        share = self._found / max(1, self._asked)
        self._asked = self._found = 0
        return share

    def outputs(self, teacher: Callable[[Tensor], Tensor], inputs: Tensor, views: Tensor | None) -> Tensor:
        """Log-probabilities (b, C) in float32, rounded to half precision and normalised again.

        Args:
            teacher: inputs (batch, ...) to log-probabilities (batch, C).
            inputs: (b, ...) on the teacher's device.
            views: (b,) int64 on the CPU.
        """
        assert views is not None
        self._asked += len(views)
        if self._rows is not None and self._alone is None:
            self._alone = is_row_invariant(teacher, self._batch, inputs)
        if self._rows is None or not self._alone:
            return _normalised(self._computed(teacher, inputs).half())
        numbers = views.numpy()
        there, kept = self._rows.lookup(numbers)
        self._found += len(kept)
        read = torch.from_numpy(kept).to(inputs.device, non_blocking=True)
        if len(kept) == len(numbers):
            return _normalised(read)
        missing = torch.from_numpy(np.flatnonzero(~there))
        new = self._computed(teacher, inputs[missing.to(inputs.device)]).half()
        self._rows.add(numbers[missing.numpy()], new.cpu().numpy())
        both = torch.empty(len(numbers), new.shape[1], dtype=new.dtype, device=new.device)
        both[missing.to(inputs.device)] = new
        both[torch.from_numpy(np.flatnonzero(there)).to(inputs.device)] = read
        return _normalised(both)

    def _computed(self, teacher: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """A batch that is not full is filled up with its first row."""
        lacking = self._batch - len(inputs)
        if lacking:
            inputs = torch.cat([inputs, inputs[:1].expand(lacking, *inputs.shape[1:])])
        with RowInvariantLinear():
            return teacher(channels_last(inputs))[: self._batch - lacking]


def _normalised(rows: Tensor) -> Tensor:
    return F.log_softmax(rows.float(), 1)
