"""What is fixed by a task's name; free of heavy imports, for the command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What a task's name decides beside its data.

    Attributes:
        pad: pixels of reflection padding before the random crop; None for an eighth of the shorter side.
        flip: whether half of the images are mirrored.
        held_out_share: of the training images, kept out under the search protocol.
        needs_data: whether files are read, so that `--data` must be given unless `default_data` is there.
        options: fields of `Source` that the task has a use for, beside `data`.
        needs: those of them that must be given.
        default_data: folder that is read where `--data` is not given.
    """

    description: str
    pad: int | None
    flip: bool
    held_out_share: float
    needs_data: bool
    options: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    default_data: str | None = None

    def padding(self, height: int, width: int) -> int:
        """Pixels of padding for images of this size."""
        return min(height, width) // 8 if self.pad is None else self.pad


_CIFAR = frozenset({"label_column", "download"})
KINDS = {
    "digits": Kind("scikit-learn's 1,797 digits of 8x8 pixels, embedded", 1, False, 0.25, False),
    "fashion_mnist": Kind(
        "Fashion-MNIST: --data DIR with torchvision's FashionMNIST/raw or the four idx files",
        pad=2,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        options=frozenset({"download"}),
        default_data="/usr/share/datasets/fashion-mnist",
    ),
    "cifar10": Kind(
        "CIFAR-10: --data DIR with train.parquet and test.parquet, or torchvision's cifar-10-batches-py",
        pad=4,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        options=_CIFAR,
    ),
    "cifar100": Kind(
        "CIFAR-100: --data DIR with train.parquet and test.parquet, or torchvision's cifar-100-python",
        pad=4,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        options=_CIFAR,
    ),
    "folder": Kind(
        "your own images: --data DIR with train/ and test/, each with one sub-folder a class, and --image-size",
        pad=None,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        options=frozenset({"image_size"}),
        needs=frozenset({"image_size"}),
    ),
}
