"""Tasks `cifar10` and `cifar100`, from Parquet as on Hugging Face or from torchvision's files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.task_type import FileLayout

if TYPE_CHECKING:
    from ban_ray.tasks.image_dataset import RawImages
    from ban_ray.tasks.source import Source

PARQUET_FILES = ("train.parquet", "test.parquet")
BATCH_FILES = {
    "cifar-10-batches-py": (tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)),
    "cifar-100-python": (("train",), ("test",)),
}
"""By torchvision's folder: the files for training and those for test."""


def _cifar(name: str, title: str, classes: int, class_name: str, folder: str) -> ImageTask:
    def from_parquet(data: Path, label_column: str | None) -> FileLayout:
        def read() -> "RawImages":
            from ban_ray.tasks.readers import cifar_parquet

            return cifar_parquet.read(train, test, classes, 32, label_column)

        train, test = (data / file for file in PARQUET_FILES)
        return FileLayout(" and ".join(PARQUET_FILES), (train, test), read)

    def from_batches(data: Path, label_key: str | None) -> FileLayout:
        def read() -> "RawImages":
            from ban_ray.tasks.readers import cifar_pickle

            return cifar_pickle.read(train, test, classes, label_key)

        train, test = (tuple(data / file for file in files) for files in BATCH_FILES[folder])
        names = ", ".join(file.name for file in (*train, *test))
        return FileLayout(f"{names} as in torchvision's {folder}", (*train, *test), read)

    def layouts(source: "Source") -> Sequence[FileLayout]:
        data, label = Path(source.data or ""), source.label_column
        return [from_parquet(data, label), from_batches(data / folder, label), from_batches(data, label)]

    return ImageTask(
        name=name,
        description=f"{title}: --data DIR with train.parquet and test.parquet, or torchvision's {folder}",
        layouts=layouts,
        options=frozenset({"label_column"}),
        torchvision=(class_name, folder),
        papers_samples=(50_000, 10_000),
        pad=4,
        flip=True,
    )


CIFAR10 = _cifar("cifar10", "CIFAR-10", 10, "CIFAR10", "cifar-10-batches-py")
CIFAR100 = _cifar("cifar100", "CIFAR-100", 100, "CIFAR100", "cifar-100-python")
