"""Task `fashion_mnist`, from the four idx files."""

from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.task_type import FileLayout, is_file

if TYPE_CHECKING:
    from ban_ray.tasks.image_dataset import RawImages

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""Images and labels for training, then for test; each may also end in ``.gz``."""


def _layout(folder: Path) -> FileLayout:
    def read() -> "RawImages":
        from ban_ray.tasks.readers import idx

        return idx.read(files, 10, 28)

    pairs = ((folder / name, folder / f"{name}.gz") for name in FILES)
    files = tuple(packed if is_file(packed) and not is_file(plain) else plain for plain, packed in pairs)
    return FileLayout(f"{', '.join(FILES)}, with or without .gz, in it or in FashionMNIST/raw", files, read)


FASHION_MNIST = ImageTask(
    name="fashion_mnist",
    description="Fashion-MNIST: --data DIR with torchvision's FashionMNIST/raw or the four idx files",
    layouts=lambda source: [_layout(Path(source.data or "") / below) for below in ("FashionMNIST/raw", "")],
    default_data="/usr/share/datasets/fashion-mnist",
    torchvision=("FashionMNIST", "FashionMNIST"),
    pad=2,
    flip=True,
)
