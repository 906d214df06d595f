"""Tasks of labelled images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ban_ray.errors import UserError
from ban_ray.tasks.decoded import memory
from ban_ray.tasks.task_type import InputDescription, Sizes, TaskType

if TYPE_CHECKING:
    import torch

    from ban_ray.evaluation.metrics import Metric
    from ban_ray.specs import Task
    from ban_ray.tasks.image_data import ImageData
    from ban_ray.tasks.image_dataset import ImageDataset

_NORMALISE = '''

def normalise(images: torch.Tensor) -> torch.Tensor:
    """(n, height, width, channels) bytes to the (n, channels, height, width) floats that the network takes."""
    scale, shift = (torch.tensor(values).view(-1, 1, 1) for values in ({scale!r}, {shift!r}))
    return images.permute(0, 3, 1, 2).float() * scale + shift
'''

_NOTE = "Images are bytes; `normalise` in `load.py` brings them to what the network was trained on."


@dataclass(frozen=True, kw_only=True)
class ImageTask(TaskType["ImageDataset"]):
    """Images that are padded, cropped and mirrored, and judged by their error.

    Attributes:
        pad: pixels of reflection padding before the random crop; None for an eighth of the shorter side.
        flip: whether half of the training images are mirrored where a `Task` does not say so.
    """

    pad: int | None
    flip: bool
    held_out_share: float = 0.1
    papers_use: ClassVar[str] = "CIFAR"
    sample_noun: ClassVar[str] = "images"

    def padding(self, height: int, width: int) -> int:
        """Pixels of padding for images of this size."""
        return min(height, width) // 8 if self.pad is None else self.pad

    def mirrors(self, task: "Task") -> bool:
        """Whether half of the training images of a task are mirrored."""
        return self.flip if task.flip is None else task.flip

    def metric(self, task: "Task") -> "Metric":
        from ban_ray.evaluation.metrics import ERROR

        return ERROR

    def load(self, fingerprint: str) -> "ImageDataset":
        from ban_ray.tasks.image_dataset import load_image_dataset

        return load_image_dataset(fingerprint)

    def sizes(self, task: "Task", dataset: "ImageDataset") -> Sizes:
        from ban_ray.tasks.splits import split

        if task.flip == self.flip:
            option, what = ("--flip", "mirrored") if self.flip else ("--no-flip", "not mirrored")
            raise UserError(f"{option} has no effect: images of task {task.name} are {what} by default")
        if task.normalise is not None and len(task.normalise[0]) != dataset.in_channels:
            raise UserError(
                f"task.normalise has values for {len(task.normalise[0])} channels, and images of task {task.name} have "
                f"{dataset.in_channels}"
            )
        if dataset.num_held_out and task.split_seed and not task.label_noise:
            raise UserError(f"--split-seed {task.split_seed} has no effect: the data have a validation part")
        parts = split(task, dataset.train.labels, dataset.num_classes, dataset.num_held_out)
        return Sizes(len(parts.train), len(parts.held_out), len(dataset.test.labels))

    def views(self, task: "Task", dataset: "ImageDataset", sizes: Sizes) -> int:
        return sizes.train * views_of_sample(self.padding(*dataset.sample_shape[:2]), self.mirrors(task))

    def augmentation(self, task: "Task", dataset: "ImageDataset") -> str:
        pad, mirrored = self.padding(*dataset.sample_shape[:2]), self.mirrors(task)
        crops = f"reflection padding of {pad} pixel{'s' * (pad != 1)}, random crops"
        return f"{crops}, {'random mirroring' if mirrored else 'no mirroring'}"

    def to_device(self, task: "Task", dataset: "ImageDataset", device: "torch.device") -> "ImageData":
        from ban_ray.tasks.image_data import load_images

        return load_images(task, dataset, device)

    def fits_in_memory(self, dataset: "ImageDataset", free_bytes: int) -> bool:
        return memory.fits_in_memory(dataset.num_bytes, free_bytes)

    def describe_inputs(
        self, task: "Task", dataset: "ImageDataset | None", classes: int, channels: int
    ) -> InputDescription:
        shapes = f"(n, {channels}, height, width) to logits (n, {classes})"
        if dataset is None and task.normalise is not None:
            mean, deviation = task.normalise
            scale = tuple(1 / (255 * value) for value in deviation)
            shift = tuple(-m / d for m, d in zip(mean, deviation, strict=True))
            return InputDescription(classes, channels, shapes, _NOTE, _NORMALISE.format(scale=scale, shift=shift))
        if dataset is None:
            note = (
                "Images were brought to mean 0 and standard deviation 1 in each channel over the training part; the "
                "data could not be read when this was exported, so the numbers are not given."
            )
            return InputDescription(classes, channels, shapes, note)
        import torch

        images = self.to_device(task, dataset, torch.device("cpu"))
        scale, shift = (tuple(float(value) for value in part.flatten()) for part in (images.scale, images.shift))
        return InputDescription(classes, channels, shapes, _NOTE, _NORMALISE.format(scale=scale, shift=shift))


def views_of_sample(pad: int, flip: bool) -> int:
    """The number of different inputs that padding by `pad` pixels, cropping and mirroring make of an image."""
    return (2 * pad + 1) ** 2 * (1 + flip)
