"""Images decoded once: memory-mapped arrays under the hash of what they hold."""

import hashlib
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ban_ray.tasks.cache import cache_arrays, cached_arrays

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

_ARRAYS = ("train", "train_labels", "test", "test_labels")


@dataclass(frozen=True)
class ImageArrays:
    """Images (n, height, width, channels) as bytes and their labels (n,)."""

    images: Pixels
    labels: Labels


@dataclass(frozen=True)
class RawImages:
    """Images as they were read, in any order; `class_names` are empty where the files hold none."""

    train: ImageArrays
    test: ImageArrays
    num_classes: int
    class_names: tuple[str, ...] = ()

    def cache(self) -> "ImageDataset":
        """Write them in canonical order under their fingerprint, unless they are in the cache already."""
        train, test = canonical(self.train), canonical(self.test)
        name = fingerprint(train, test, self.num_classes)
        arrays = (train.images, train.labels, test.images, test.labels)
        meta = {"num_classes": self.num_classes, "class_names": self.class_names}
        cache_arrays(name, dict(zip(_ARRAYS, arrays, strict=True)), meta)
        return load_image_dataset(name)


@dataclass(frozen=True)
class ImageDataset:
    """Images in canonical order: sorted by the hash of each sample's pixels, then by label.

    Attributes:
        class_names: by label, as the first files with these pixels called them; empty where they hold none.
    """

    fingerprint: str
    num_classes: int
    train: ImageArrays
    test: ImageArrays
    class_names: tuple[str, ...] = ()

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        return cast(tuple[int, int, int], self.train.images.shape[1:])

    @property
    def in_channels(self) -> int:
        return self.sample_shape[2]


def canonical(part: ImageArrays) -> ImageArrays:
    """Sort by pixels, then label, so that the layout that the data were read from does not matter."""
    keys = [hashlib.sha256(image.tobytes()).digest() for image in part.images]
    order = sorted(range(len(keys)), key=lambda index: (keys[index], int(part.labels[index])))
    return ImageArrays(np.ascontiguousarray(part.images[order]), part.labels[order].astype(np.int64))


def fingerprint(train: ImageArrays, test: ImageArrays, num_classes: int) -> str:
    """SHA-256 of shapes, pixels and labels of both canonical parts."""
    total = hashlib.sha256(f"{num_classes}".encode())
    for part in (train, test):
        total.update(f"{part.images.shape}".encode())
        total.update(np.ascontiguousarray(part.images).data)
        total.update(part.labels.astype("<i8").tobytes())
    return total.hexdigest()


def load_image_dataset(name: str) -> ImageDataset:
    """Memory-map images by their fingerprint, as `cached_arrays` does."""
    arrays, meta = cached_arrays(name, _ARRAYS)
    train, test = ImageArrays(arrays[0], arrays[1]), ImageArrays(arrays[2], arrays[3])
    return ImageDataset(name, meta["num_classes"], train, test, tuple(meta.get("class_names", ())))
