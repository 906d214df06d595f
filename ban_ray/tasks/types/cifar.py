"""Tasks `cifar10` and `cifar100`, from Parquet as on Hugging Face, torchvision's files, or a tree of image files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.readers.image_layouts import or_elsewhere, parquet_layout
from ban_ray.tasks.task_type import FileLayout

if TYPE_CHECKING:
    from ban_ray.tasks.image_dataset import RawImages
    from ban_ray.tasks.source import Source

SHAPE = (32, 32, 3)
COARSE_CLASSES = 20
"""Of CIFAR-100's other label column."""

AUTOMOBILE, AIRPLANE, BIRD, CAT, DEER, DOG, HORSE, TRUCK = 1, 0, 2, 3, 4, 5, 7, 9
CONFUSIONS_10 = {TRUCK: AUTOMOBILE, BIRD: AIRPLANE, DEER: HORSE, CAT: DOG, DOG: CAT}
"""Patrini et al. 2017."""

SUPERCLASSES = (
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
)
"""The coarse label of each of CIFAR-100's classes."""


def _next_in_superclass() -> dict[int, int]:
    """Each class of CIFAR-100 to the next one of its five, round the circle (Patrini et al. 2017)."""
    groups = [[label for label, own in enumerate(SUPERCLASSES) if own == group] for group in range(COARSE_CLASSES)]
    return {label: group[(place + 1) % len(group)] for group in groups for place, label in enumerate(group)}


BATCH_FILES = {
    "cifar-10-batches-py": (tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)),
    "cifar-100-python": (("train",), ("test",)),
}
"""By torchvision's folder: the files for training and those for test."""


def _cifar(
    name: str, title: str, classes: int, class_name: str, folder: str, confusions: Mapping[int, int]
) -> ImageTask:
    def from_batches(data: Path, label_key: str | None) -> FileLayout:
        def read() -> "RawImages":
            from ban_ray.tasks.readers import cifar_pickle

            return cifar_pickle.read(train, test, classes, label_key)

        train, test = (tuple(data / file for file in files) for files in BATCH_FILES[folder])
        names = ", ".join(file.name for file in (*train, *test))
        return FileLayout(f"{names} as in torchvision's {folder}", (*train, *test), read, options=labels)

    def layouts(source: "Source") -> Sequence[FileLayout]:
        data, label = Path(source.data or ""), source.label_column
        parquet = parquet_layout(source, classes, SHAPE, also_classes)
        batches = (from_batches(place, label) for place in (data / folder, data))
        return or_elsewhere([parquet, *batches], source, classes, SHAPE, also_classes)

    labels = frozenset({"label_column"})
    also_classes = (COARSE_CLASSES,) if classes > COARSE_CLASSES else ()

    return ImageTask(
        name=name,
        description=f"{title}: --data DIR with Parquet files, torchvision's {folder}, or train/ and test/ of images",
        layouts=layouts,
        options=labels | {"skip_bad"},
        torchvision=(class_name, folder),
        papers_samples=(50_000, 10_000),
        confusions=confusions,
        pad=4,
        flip=True,
    )


CIFAR10 = _cifar("cifar10", "CIFAR-10", 10, "CIFAR10", "cifar-10-batches-py", CONFUSIONS_10)
CIFAR100 = _cifar("cifar100", "CIFAR-100", 100, "CIFAR100", "cifar-100-python", _next_in_superclass())
