"""Task `fashion_mnist`, from the four idx files, from Parquet as on Hugging Face, or a tree of image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.readers.image_layouts import or_elsewhere, parquet_layout
from ban_ray.tasks.task_type import FileLayout, is_file

if TYPE_CHECKING:
    from ban_ray.tasks.image_dataset import RawImages
    from ban_ray.tasks.source import Source

CLASSES, SIDE = 10, 28
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""Images and labels for training, then for test; each may also end in ``.gz``."""


def _layouts(source: "Source") -> Sequence[FileLayout]:
    folder, shape = Path(source.data or ""), (SIDE, SIDE, 1)
    idx = (_idx(place) for place in (folder / "FashionMNIST" / "raw", folder))
    return or_elsewhere([*idx, parquet_layout(source, CLASSES, shape)], source, CLASSES, shape)


def _idx(folder: Path) -> FileLayout:
    def read() -> "RawImages":
        from ban_ray.tasks.readers import idx

        return idx.read(files, CLASSES, SIDE)

    pairs = ((folder / name, folder / f"{name}.gz") for name in FILES)
    files = tuple(packed if is_file(packed) and not is_file(plain) else plain for plain, packed in pairs)
    return FileLayout(
        f"{', '.join(FILES)}, with or without .gz, in it or in FashionMNIST/raw", files, read, options=frozenset()
    )


FASHION_MNIST = ImageTask(
    name="fashion_mnist",
    description=(
        "Fashion-MNIST: --data DIR with torchvision's FashionMNIST/raw, the four idx files, Parquet files, or train/ "
        "and test/ of images"
    ),
    layouts=_layouts,
    options=frozenset({"label_column", "skip_bad"}),
    default_data="/usr/share/datasets/fashion-mnist",
    torchvision=("FashionMNIST", "FashionMNIST"),
    pad=2,
    flip=True,
)
