"""Tasks `cifar10` and `cifar100`, from Parquet as on Hugging Face, torchvision's files, or a tree of image files."""

from collections.abc import Sequence
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

BATCH_FILES = {
    "cifar-10-batches-py": (tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)),
    "cifar-100-python": (("train",), ("test",)),
}
"""By torchvision's folder: the files for training and those for test."""


def _cifar(name: str, title: str, classes: int, class_name: str, folder: str) -> ImageTask:
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
        pad=4,
        flip=True,
    )


CIFAR10 = _cifar("cifar10", "CIFAR-10", 10, "CIFAR10", "cifar-10-batches-py")
CIFAR100 = _cifar("cifar100", "CIFAR-100", 100, "CIFAR100", "cifar-100-python")
