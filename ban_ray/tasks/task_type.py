"""Task types: all that a task's name decides beside its data. Free of NumPy and torch, for the command line."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from ban_ray.errors import UserError

if TYPE_CHECKING:
    import torch

    from ban_ray.evaluation.metrics import Metric
    from ban_ray.specs import Task
    from ban_ray.tasks.source import Source
    from ban_ray.tasks.task_data import TaskData


class DataSet(Protocol):
    """A decoded data set.

    Attributes:
        fingerprint: SHA-256 of all that it holds.
        num_classes: classes, or tokens of the vocabulary.
        in_channels: channels of an image, or symbols that words are spelled with.
        sample_shape: (height, width, channels) of an image, () of a token.
        num_bytes: bytes of all samples on the disk.
        skipped: number of samples that could not be decoded and were left out, as was asked for.
    """

    @property
    def fingerprint(self) -> str: ...
    @property
    def num_classes(self) -> int: ...
    @property
    def in_channels(self) -> int: ...
    @property
    def sample_shape(self) -> tuple[int, ...]: ...
    @property
    def num_bytes(self) -> int: ...
    @property
    def skipped(self) -> int: ...


class Readable(Protocol):
    """What a layout's files hold."""

    def cache(self) -> DataSet:
        """Decode it into the cache; raises UserError and OSError."""


@dataclass(frozen=True)
class Sizes:
    """Numbers of samples."""

    train: int
    held_out: int
    test: int


@dataclass(frozen=True)
class InputDescription:
    """The inputs and outputs of a network in words, code and files, for somebody who is given it.

    Attributes:
        shapes: of a call, in prose.
        note: how the inputs are made.
        code: Python that makes them.
        files: texts by name, to be written beside the weights.
    """

    classes: int
    channels: int
    shapes: str
    note: str
    code: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileLayout:
    """One way in which the files of a data set may lie in a folder.

    Attributes:
        description: of the files, to be read after "needs".
        files: all of them; a change in one is a change of the data.
        read: finds out what they hold.
        known: whether the files are known to exist, for example since a folder was listed.
        options: fields of `Source` that it uses of those that the task has; None for all.
        decoding: version of the decoder, incremented by hand when the same files are decoded to other pixels.
    """

    description: str
    files: tuple[Path, ...]
    read: Callable[[], Readable]
    known: bool = False
    options: frozenset[str] | None = None
    decoding: int = 1

    def missing(self) -> list[Path]:
        """The files that do not exist; raises what `is_file` does."""
        return [] if self.known else [file for file in self.files if not is_file(file)]


def is_file(path: Path) -> bool:
    """Whether a path is a file's; raises UserError where its folder may not be entered."""
    try:
        return path.is_file()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error


D = TypeVar("D", bound=DataSet)


@dataclass(frozen=True, kw_only=True)
class TaskType(ABC, Generic[D]):
    """A task without its data: an instance in a module of `ban_ray.tasks.types` registers it.

    Attributes:
        name: by which it is asked for, and which enters keys.
        description: of the data, for error messages.
        layouts: the ways in which the files of a source may lie, the preferred one first.
        needs_data: whether files are read, so that `--data` must be given unless `default_data` exists.
        options: fields of `Source` that the task uses, beside `data` and `download`.
        needs: those of them that must be given.
        default_data: folder that is read where `--data` is not given.
        torchvision: the class of `torchvision.datasets` that downloads the files, and the folder that it makes.
        held_out_share: of the training samples, kept out under the search protocol.
        papers_samples: training samples (held-out ones included) and test samples of the papers, if it is their task.
        papers_use: data of the papers' tables of such tasks.
        confusions: by class the class whose pictures it is most easily confused with, where that is known.
        sample_noun: what the samples are called.
        unrolls: whether samples follow one another, so that recipes unroll a network in time.
    """

    name: str
    description: str
    layouts: "Callable[[Source], Sequence[FileLayout]]"
    needs_data: bool = True
    options: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    default_data: str | None = None
    torchvision: tuple[str, str] | None = None
    held_out_share: float = 0.0
    papers_samples: tuple[int, ...] = ()
    confusions: Mapping[int, int] = field(default_factory=dict)
    papers_use: ClassVar[str]
    sample_noun: ClassVar[str]
    unrolls: ClassVar[bool] = False

    def uses(self, option: str) -> bool:
        """Whether the task uses a field of `Source`."""
        always = {"data": self.needs_data, "download": self.torchvision is not None}
        return always.get(option, option in self.options)

    @abstractmethod
    def metric(self, task: "Task") -> "Metric":
        """What members trained on the task are compared by."""

    @abstractmethod
    def load(self, fingerprint: str) -> D:
        """Memory-map a data set that was decoded on this node.

        Raises:
            FileNotFoundError: it was not.
        """

    @abstractmethod
    def sizes(self, task: "Task", dataset: D) -> Sizes:
        """How a data set is split.

        Raises:
            UserError: too few samples to hold any out, or a choice that the task does not use.
        """

    @abstractmethod
    def views(self, task: "Task", dataset: D, sizes: Sizes) -> int:
        """The number of different inputs that augmentation makes of the training samples; 0 if not countable."""

    @abstractmethod
    def augmentation(self, task: "Task", dataset: D) -> str:
        """What is done to training samples at random, in words."""

    @abstractmethod
    def to_device(self, task: "Task", dataset: D, device: "torch.device") -> "TaskData":
        """Put a data set on a device, split as the task says.

        Raises:
            UserError: too few samples to hold any out.
        """

    @abstractmethod
    def fits_in_memory(self, dataset: D, free_bytes: int) -> bool:
        """Whether a data set lies in a device's memory, of which so much is free; else it is read batch by batch."""

    @abstractmethod
    def describe_inputs(self, task: "Task", dataset: D | None, classes: int, channels: int) -> InputDescription:
        """What networks of the task take; without the data set's own numbers where `dataset` is None."""
