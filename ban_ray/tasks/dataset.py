"""A data set as it was read, of whatever samples, and how it is split; free of torch, for the command line."""

from dataclasses import dataclass

from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks.catalog import TASK_TYPES, views_of_sample
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.splits import split
from ban_ray.tasks.text_dataset import TextDataset

DataSet = ImageDataset | TextDataset
"""What `ban_ray.tasks.opening.open_source` gives."""


@dataclass(frozen=True)
class Sizes:
    """Numbers of samples."""

    train: int
    held_out: int
    test: int


def sizes(task: Task, data_set: DataSet) -> Sizes:
    """How a data set is split.

    Raises:
        UserError: too few samples to hold any out, or a choice that a text has no use for.
    """
    if isinstance(data_set, TextDataset):
        for option, value in (("--label-noise", task.label_noise), ("--split-seed", task.split_seed)):
            if value:
                raise UserError(f"{option} {value:g} is of no use: task {task.name} has a validation text and no noise")
        return Sizes(len(data_set.train), len(data_set.valid), len(data_set.test))
    parts = split(task, data_set.train.labels, data_set.num_classes)
    return Sizes(len(parts.train), len(parts.held_out), len(data_set.test.labels))


def views(task: Task, data_set: DataSet, sizes: Sizes) -> int:
    """How many different inputs augmentation makes of the training samples; 0 where none can be told apart."""
    if isinstance(data_set, TextDataset):
        return 0
    kind = TASK_TYPES[task.name]
    return sizes.train * views_of_sample(kind.padding(*data_set.image_shape[:2]), kind.flip)
