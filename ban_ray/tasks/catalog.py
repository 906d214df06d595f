"""What is fixed by a task's name; free of heavy imports, for the command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskType:
    """What a task's name decides beside its data.

    Attributes:
        pad: pixels of reflection padding before the random crop; None for an eighth of the shorter side.
        flip: whether half of the images are mirrored.
        held_out_share: of the training samples, kept out under the search protocol.
        needs_data: whether files are read, so that `--data` must be given unless `default_data` is there.
        papers_use: data of the papers' tables of such tasks.
        papers_samples: where this is it, how many they train on, held-out ones counted, and test on.
        samples: what they are called.
        text: whether they are tokens, one after the other.
        options: fields of `Source` that the task has a use for, beside `data`.
        needs: those of them that must be given.
        default_data: folder that is read where `--data` is not given.
    """

    description: str
    pad: int | None
    flip: bool
    held_out_share: float
    needs_data: bool
    papers_use: str = "CIFAR"
    papers_samples: tuple[int, ...] = ()
    samples: str = "images"
    text: bool = False
    options: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    default_data: str | None = None

    def padding(self, height: int, width: int) -> int:
        """Pixels of padding for images of this size."""
        return min(height, width) // 8 if self.pad is None else self.pad


def views_of_sample(pad: int, flip: bool) -> int:
    """How many different inputs padding by so many pixels, cropping and mirroring make of an image."""
    return (2 * pad + 1) ** 2 * (1 + flip)


def _text(
    description: str, *, tokens: bool = False, needs_data: bool = True, papers_samples: tuple[int, ...] = ()
) -> TaskType:
    """Its validation text is held out, nothing is augmented."""
    return TaskType(
        description,
        pad=0,
        flip=False,
        held_out_share=0.0,
        needs_data=needs_data,
        papers_use="Penn Treebank",
        papers_samples=papers_samples,
        samples="tokens",
        text=True,
        options=frozenset({"tokens"} if tokens else ()),
    )


_CIFAR = frozenset({"label_column", "download"})
TASK_TYPES = {
    "digits": TaskType("scikit-learn's 1,797 digits of 8x8 pixels, embedded", 1, False, 0.25, False),
    "fashion_mnist": TaskType(
        "Fashion-MNIST: --data DIR with torchvision's FashionMNIST/raw or the four idx files",
        pad=2,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        options=frozenset({"download"}),
        default_data="/usr/share/datasets/fashion-mnist",
    ),
    "cifar10": TaskType(
        "CIFAR-10: --data DIR with train.parquet and test.parquet, or torchvision's cifar-10-batches-py",
        pad=4,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        papers_samples=(50_000, 10_000),
        options=_CIFAR,
    ),
    "cifar100": TaskType(
        "CIFAR-100: --data DIR with train.parquet and test.parquet, or torchvision's cifar-100-python",
        pad=4,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        papers_samples=(50_000, 10_000),
        options=_CIFAR,
    ),
    "folder": TaskType(
        "your own images: --data DIR with train/ and test/, each with one sub-folder a class, and --image-size",
        pad=None,
        flip=True,
        held_out_share=0.1,
        needs_data=True,
        options=frozenset({"image_size"}),
        needs=frozenset({"image_size"}),
    ),
    "text": _text("your own text: --data DIR with train.txt, valid.txt and test.txt in UTF-8", tokens=True),
    "ptb": _text(
        "Mikolov's Penn Treebank: --data DIR with ptb.train.txt, ptb.valid.txt and ptb.test.txt",
        papers_samples=(929_589, 82_430),
    ),
    "python_docs": _text("the language reference that ships with Python, embedded", tokens=True, needs_data=False),
}
