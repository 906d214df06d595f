"""Images decoded once: files of arrays under the hash of what they hold."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ban_ray.tasks.cache import cache_root, cached_arrays
from ban_ray.tasks.decoded.image_file import ArrayRows, ImageFile, ImageRows, Pixels
from ban_ray.tasks.decoded.image_writer import ARRAYS, SUMS, ImageWriter, pixel_sums

Labels = NDArray[np.int64]

_CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class ImageArrays:
    """Images (n, height, width, channels) as bytes and their labels (n,).

    Attributes:
        file: where the images are memory-mapped from, None where they lie in memory.
    """

    images: Pixels
    labels: Labels
    file: Path | None = None

    def rows(self) -> ImageRows:
        """The images, to be read row by row; raises OSError where their file cannot be opened."""
        return ArrayRows(self.images) if self.file is None else ImageFile.open(self.file)


@dataclass(frozen=True)
class RawImages:
    """Images as they were read, in any order.

    Attributes:
        class_names: by label; empty where the files hold none.
        held_out: the validation part; None where the files have none.
    """

    train: ImageArrays
    test: ImageArrays
    num_classes: int
    class_names: tuple[str, ...] = ()
    held_out: ImageArrays | None = None

    def cache(self) -> "ImageDataset":
        """Write them in canonical order under their fingerprint, unless they are in the cache already."""
        parts = {"train": self.train, "validation": self.held_out, "test": self.test}
        given = {name: part for name, part in parts.items() if part is not None}
        counts = {name: len(part.labels) for name, part in given.items()}
        with ImageWriter(counts, self.train.images.shape[1:]) as writer:
            for name, part in given.items():
                for row, image in enumerate(part.images):
                    writer.write(name, row, image)
            labels = {name: part.labels for name, part in given.items()}
            return load_image_dataset(writer.finish(labels, self.num_classes, self.class_names))


@dataclass(frozen=True)
class ImageDataset:
    """Images in canonical order: sorted by the hash of each sample's pixels, then by label.

    Attributes:
        train: samples for training, then those of the validation part where there is one.
        class_names: by label, as the first files with these pixels called them; empty where they hold none.
        num_held_out: size of the validation part; 0 where held-out samples are chosen from `train`.
        skipped: number of images that could not be decoded and were left out.
        train_sums: `pixel_sums` of `train`; None where they were not written.
    """

    fingerprint: str
    num_classes: int
    train: ImageArrays
    test: ImageArrays
    class_names: tuple[str, ...] = ()
    num_held_out: int = 0
    skipped: int = 0
    train_sums: NDArray[np.int64] | None = None

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        return cast(tuple[int, int, int], self.train.images.shape[1:])

    @property
    def in_channels(self) -> int:
        return self.sample_shape[2]

    @property
    def num_bytes(self) -> int:
        return self.train.images.nbytes + self.test.images.nbytes

    def sums(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(channels, 2) the sum of the bytes of some training images, and that of their squares.

        Sums of integers are exact, whatever their order is.
        """
        if self.train_sums is not None:
            total: NDArray[np.int64] = self.train_sums[rows].sum(0)
            return total
        source, (height, width, channels) = self.train.rows(), self.sample_shape
        total = np.zeros((channels, 2), dtype=np.int64)
        for chunk in np.array_split(rows, 1 + len(rows) * height * width * channels // _CHUNK_BYTES):
            images = np.empty((len(chunk), height, width, channels), dtype=np.uint8)
            source.read(chunk, images)
            total += pixel_sums(images)
        return total


def load_image_dataset(name: str) -> ImageDataset:
    """Memory-map images by their fingerprint, as `cached_arrays` does."""
    folder = cache_root() / name
    # Earlier versions wrote no sums.
    has_sums = (folder / f"{SUMS}.npy").is_file()
    arrays, meta = cached_arrays(name, (*ARRAYS, SUMS) if has_sums else ARRAYS)
    train, test = (
        ImageArrays(arrays[2 * part], arrays[2 * part + 1], folder / f"{ARRAYS[2 * part]}.npy") for part in range(2)
    )
    return ImageDataset(
        name,
        meta["num_classes"],
        train,
        test,
        tuple(meta.get("class_names", ())),
        meta.get("num_held_out", 0),
        train_sums=np.array(arrays[4]) if has_sums else None,
    )
