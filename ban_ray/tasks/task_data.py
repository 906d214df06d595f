"""What training needs of a task, whatever its samples are."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ban_ray.evaluation.predictions import Outputs
from ban_ray.specs import Generation, Task
from ban_ray.tasks.batch import Batch
from ban_ray.tasks.dataset import DataSet
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.text_data import load_text
from ban_ray.tasks.text_dataset import TextDataset


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
        views: how many different inputs the augmentation makes of the training samples, 0 where none can be told apart.
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
        """Inputs, labels and views of each step, of a worker's part `mine` of each batch: a function of the
        generation and the epoch alone."""
        ...

    def evaluation_batches(self, part: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels of a part without augmentation, for evaluation."""
        ...

    def reduce_outputs(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        """What is kept of a clean batch's log-probabilities (n, classes): (n, ...)."""
        ...

    def concat_outputs(self, kept: Sequence[Tensor], part: Any) -> Tensor:
        """The outputs of a part on the CPU, (len(part), ...), from what was kept of its batches."""
        ...

    def error_percent(self, outputs: Tensor, part: Any) -> float: ...

    def log_likelihood(self, outputs: Tensor, part: Any) -> float: ...

    def to_stored(self, outputs: Tensor) -> Outputs:
        """Outputs as they are published."""
        ...


def load_data(task: Task, data_set: DataSet, device: torch.device) -> TaskData:
    """Put a data set on a device, split as the task says.

    Raises:
        UserError: too few samples to hold any out.
    """
    return (
        load_text(task, data_set, device) if isinstance(data_set, TextDataset) else load_images(task, data_set, device)
    )
