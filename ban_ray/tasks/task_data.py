"""The data of a task on a device, as training sees them whatever the samples are."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ban_ray.evaluation.predictions import Outputs
from ban_ray.specs import Generation
from ban_ray.tasks.batches import Batch


@dataclass(frozen=True)
class Part:
    """Training, held-out or test samples on a device; labels are (n,) int64, of a text its tokens."""

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class TaskData(ABC):
    """A task on a device.

    Attributes:
        task: its name.
        train: with the labels to train on, noise included.
        held_out: empty if nothing is held out.
        num_classes, in_channels, sample_shape: as of a `DataSet`.
        class_names: by label; empty where they are not known, or labels are tokens.
    """

    task: str
    train: Part
    held_out: Part
    test: Part
    num_classes: int
    in_channels: int
    sample_shape: tuple[int, ...]
    class_names: tuple[str, ...] = ()

    @property
    @abstractmethod
    def views(self) -> int:
        """Number of different inputs that augmentation makes of the training samples; 0 if not countable."""

    @abstractmethod
    def training_batches(self, generation: Generation, epoch: int, worker_slice: slice) -> Iterator[Batch]:
        """A worker's slice of each step's batch: a function of the generation and the epoch alone.

        Samples that do not fill a last batch are dropped.
        """

    @abstractmethod
    def evaluation_batches(self, part: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels of a whole part, without augmentation."""

    @abstractmethod
    def reduce_outputs(self, log_probabilities: Tensor, labels: Tensor) -> Tensor:
        """What is stored of the log-probabilities (n, classes) of an evaluation batch: (n, ...)."""

    @abstractmethod
    def concat_outputs(self, reduced: Sequence[Tensor], part: Any) -> Tensor:
        """The outputs of a part on the CPU, (len(part), ...), from the reduced outputs of its batches."""

    @abstractmethod
    def to_stored(self, outputs: Tensor) -> Outputs:
        """Outputs as they are published."""
