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
    """Images as they were read, in any order.

    Attributes:
        class_names: by label; empty where the files hold none.
        held_out: the validation part; None where the files have none.
        skipped: number of images that could not be decoded and were left out.
    """

    train: ImageArrays
    test: ImageArrays
    num_classes: int
    class_names: tuple[str, ...] = ()
    held_out: ImageArrays | None = None
    skipped: int = 0

    def cache(self) -> "ImageDataset":
        """Write them in canonical order under their fingerprint, unless they are in the cache already."""
        train, test = canonical(self.train), canonical(self.test)
        held_out = None if self.held_out is None else canonical(self.held_out)
        name = fingerprint(train, test, self.num_classes, held_out)
        meta: dict[str, object] = {"num_classes": self.num_classes, "class_names": self.class_names}
        if held_out is not None:
            meta["num_held_out"] = len(held_out.labels)
            images, labels = (train.images, held_out.images), (train.labels, held_out.labels)
            train = ImageArrays(np.concatenate(images), np.concatenate(labels))
        arrays = (train.images, train.labels, test.images, test.labels)
        cache_arrays(name, dict(zip(_ARRAYS, arrays, strict=True)), meta)
        return load_image_dataset(name)


@dataclass(frozen=True)
class ImageDataset:
    """Images in canonical order: sorted by the hash of each sample's pixels, then by label.

    Attributes:
        train: samples for training, then those of the validation part where there is one.
        class_names: by label, as the first files with these pixels called them; empty where they hold none.
        num_held_out: size of the validation part; 0 where held-out samples are chosen from `train`.
        skipped: as of `RawImages`.
    """

    fingerprint: str
    num_classes: int
    train: ImageArrays
    test: ImageArrays
    class_names: tuple[str, ...] = ()
    num_held_out: int = 0
    skipped: int = 0

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


def fingerprint(train: ImageArrays, test: ImageArrays, num_classes: int, held_out: ImageArrays | None = None) -> str:
    """SHA-256 of shapes, pixels and labels of all canonical parts."""
    total = hashlib.sha256(f"{num_classes}".encode())
    for part in (train, test, held_out):
        if part is None:
            continue
        total.update(f"{part.images.shape}".encode())
        total.update(np.ascontiguousarray(part.images).data)
        total.update(part.labels.astype("<i8").tobytes())
    return total.hexdigest()


def load_image_dataset(name: str) -> ImageDataset:
    """Memory-map images by their fingerprint, as `cached_arrays` does."""
    arrays, meta = cached_arrays(name, _ARRAYS)
    train, test = ImageArrays(arrays[0], arrays[1]), ImageArrays(arrays[2], arrays[3])
    return ImageDataset(
        name, meta["num_classes"], train, test, tuple(meta.get("class_names", ())), meta.get("num_held_out", 0)
    )
