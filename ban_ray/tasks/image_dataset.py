"""A data set decoded once: memory-mapped arrays under the hash of what they hold."""

import hashlib
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ban_ray.tasks.cache import cache_arrays, cache_root, cached_arrays

__all__ = [
    "ImageDataset",
    "ImagePart",
    "Labels",
    "Pixels",
    "RawImages",
    "cache_root",
    "canonical",
    "fingerprint",
    "keep",
    "load",
]

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

_ARRAYS = ("train", "train_labels", "test", "test_labels")


@dataclass(frozen=True)
class ImagePart:
    """Images (n, height, width, channels) as bytes and their labels (n,)."""

    images: Pixels
    labels: Labels


@dataclass(frozen=True)
class RawImages:
    """A data set as it was read, in any order; `class_names` are empty where the files hold none."""

    train: ImagePart
    test: ImagePart
    num_classes: int
    class_names: tuple[str, ...] = ()

    def keep(self) -> "ImageDataset":
        """Keep it in canonical order, under its fingerprint."""
        return keep(self.train, self.test, self.num_classes, self.class_names)


@dataclass(frozen=True)
class ImageDataset:
    """A data set in canonical order: sorted by the hash of each sample's pixels, then by label.

    Attributes:
        class_names: by label, as the first files with these pixels called them; empty where they hold none.
    """

    fingerprint: str
    num_classes: int
    train: ImagePart
    test: ImagePart
    class_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        return cast(tuple[int, int, int], self.train.images.shape[1:])

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one image."""
        return self.image_shape

    @property
    def in_channels(self) -> int:
        return self.image_shape[2]


def canonical(part: ImagePart) -> ImagePart:
    """Sort by pixels, then label, so that the route by which the data came does not matter."""
    keys = [hashlib.sha256(image.tobytes()).digest() for image in part.images]
    order = sorted(range(len(keys)), key=lambda index: (keys[index], int(part.labels[index])))
    return ImagePart(np.ascontiguousarray(part.images[order]), part.labels[order].astype(np.int64))


def fingerprint(train: ImagePart, test: ImagePart, num_classes: int) -> str:
    """SHA-256 of shapes, pixels and labels of both canonical parts."""
    total = hashlib.sha256(f"{num_classes}".encode())
    for part in (train, test):
        total.update(f"{part.images.shape}".encode())
        total.update(np.ascontiguousarray(part.images).data)
        total.update(part.labels.astype("<i8").tobytes())
    return total.hexdigest()


def keep(train: ImagePart, test: ImagePart, num_classes: int, class_names: tuple[str, ...] = ()) -> ImageDataset:
    """Sort, hash and write a data set under its fingerprint, unless it is there already."""
    train, test = canonical(train), canonical(test)
    name = fingerprint(train, test, num_classes)
    arrays: dict[str, Pixels | Labels] = dict(
        zip(_ARRAYS, (train.images, train.labels, test.images, test.labels), strict=True)
    )
    cache_arrays(name, arrays, {"num_classes": num_classes, "class_names": class_names})
    return load(name)


def load(name: str) -> ImageDataset:
    """Memory-map a data set by its fingerprint.

    Raises:
        FileNotFoundError: it was not decoded on this node.
    """
    arrays, meta = cached_arrays(name, _ARRAYS)
    train, test = ImagePart(arrays[0], arrays[1]), ImagePart(arrays[2], arrays[3])
    return ImageDataset(name, meta["num_classes"], train, test, tuple(meta.get("class_names", ())))
