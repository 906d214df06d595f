"""What a training step is given."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A worker's part of a mini-batch.

    Attributes:
        inputs: of b samples, as the network takes them.
        labels: (b,), of a text (unroll * b,).
        views: (b,) int64 on the CPU, which augmentation of which sample each input is, below the task's `views`; None
            where samples have no views.
    """

    inputs: Tensor
    labels: Tensor
    views: Tensor | None = None
