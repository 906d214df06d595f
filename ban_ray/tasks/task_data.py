"""The data of a task on a device, as training sees them whatever the samples are."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor

from ban_ray.evaluation.predictions import Outputs
from ban_ray.specs import Generation
from ban_ray.tasks.batches import Batch


class Part(Protocol):
    """Training, held-out or test samples on a device; `labels` are (n,)."""

    @property
    def labels(self) -> Tensor: ...

    def __len__(self) -> int: ...


class TaskData(Protocol):
    """A task on a device.

    Attributes:
        task: its name.
        num_classes: classes, or tokens of the vocabulary.
        in_channels: channels of an image, or symbols that words are spelled with.
        sample_shape: (height, width, channels) of an image, () of a token.
        views: number of different inputs that augmentation makes of the training samples; 0 if they are not countable.
    """

    @property
    def task(self) -> str: ...
    @property
    def train(self) -> Part: ...
    @property
    def held_out(self) -> Part: ...
    @property
    def test(self) -> Part: ...
    @property
    def num_classes(self) -> int: ...
    @property
    def in_channels(self) -> int: ...
    @property
    def sample_shape(self) -> tuple[int, ...]: ...
    @property
    def views(self) -> int: ...

    def training_batches(self, generation: Generation, epoch: int, worker_slice: slice) -> Iterator[Batch]:
        """A worker's slice of each step's batch: a function of the generation and the epoch alone."""
        ...

    def evaluation_batches(self, part: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels of a part without augmentation, for evaluation."""
        ...

    def reduce_outputs(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        """What is stored of the log-probabilities (n, classes) of an evaluation batch: (n, ...)."""
        ...

    def concat_outputs(self, reduced: Sequence[Tensor], part: Any) -> Tensor:
        """The outputs of a part on the CPU, (len(part), ...), from the reduced outputs of its batches."""
        ...

    def to_stored(self, outputs: Tensor) -> Outputs:
        """Outputs as they are published."""
        ...
