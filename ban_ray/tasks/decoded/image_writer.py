"""Writing of a data set of images: in any order, by several threads, without holding more than one image each."""

import hashlib
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ban_ray.cli.text import format_bytes
from ban_ray.errors import UserError
from ban_ray.tasks.cache import cache_root, keep, scratch_folder
from ban_ray.tasks.decoded.image_file import ImageFile, Indices, Pixels, Shape

ARRAYS = ("train", "train_labels", "test", "test_labels")
"""The names of the files; the validation part follows the training samples in theirs."""

SUMS = "train_sums"
"""The file of `pixel_sums` of the first."""

_CHUNK_BYTES = 4 * 2**20


class ImageWriter:
    """A data set that is being written into a scratch folder of the cache; a context, at whose end nothing is left.

    Args:
        counts: number of images of the parts ``train``, ``test`` and, where there is one, ``validation``.
        shape: (height, width, channels) of all.

    Raises:
        UserError: the cache has too little room.
        OSError: the cache cannot be written.
    """

    def __init__(self, counts: Mapping[str, int], shape: Shape) -> None:
        self._counts, self._shape = dict(counts), tuple(map(int, shape))
        self._first = {"train": 0, "validation": counts["train"], "test": 0}
        rows = {"train": counts["train"] + counts.get("validation", 0), "test": counts["test"]}
        self._digests = {file: np.zeros((count, 32), dtype=np.uint8) for file, count in rows.items()}
        self._sums = np.zeros((rows["train"], self._shape[2], 2), dtype=np.int64)
        self._stack = ExitStack()
        self._rows = rows

    @property
    def num_bytes(self) -> int:
        """Bytes of all images on the disk."""
        return sum(self._rows.values()) * int(np.prod(self._shape, dtype=np.int64))

    def __enter__(self) -> Self:
        with self._stack:
            self._scratch = self._stack.enter_context(scratch_folder())
            free = shutil.disk_usage(self._scratch).free
            if self.num_bytes > free:
                height, width, channels = self._shape
                raise UserError(
                    f"{sum(self._rows.values()):,} decoded images of {height}x{width} pixels and {channels} channels "
                    f"take {format_bytes(self.num_bytes)}, and {cache_root()} has {format_bytes(free)} free; the "
                    "environment variable BAN_RAY_CACHE names another folder, and a smaller --image-size takes less"
                )
            self._files = {
                file: ImageFile.create(self._scratch / f"{file}.npy", (count, *self._shape))
                for file, count in self._rows.items()
            }
            for file in self._files.values():
                self._stack.callback(file.close)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, part: str, row: int, image: Pixels) -> None:
        """Write one image (height, width, channels) of a part; raises OSError, among others where the disk is full."""
        file, row = "test" if part == "test" else "train", self._first[part] + row
        image = np.ascontiguousarray(image)
        self._digests[file][row] = np.frombuffer(hashlib.sha256(image.data).digest(), np.uint8)
        if file == "train":
            self._sums[row] = pixel_sums(image[None])
        self._files[file].write(row, image)

    def finish(
        self,
        labels: Mapping[str, NDArray[np.integer]],
        num_classes: int,
        class_names: tuple[str, ...],
        kept: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> str:
        """Bring the images into canonical order and keep them in the cache under their fingerprint, which is returned.

        That is the SHA-256 of shapes, pixels and labels of all parts in canonical order: sorted by the hash of each
        image's pixels, then by label, so that the layout that the data were read from does not matter.

        Args:
            labels: of all images of each part, in the order of their rows.
            kept: which of them were written, and belong to the data; None for all.
        """
        orders = {}
        for part, count in self._counts.items():
            rows = np.arange(count) if kept is None else np.flatnonzero(kept[part])
            orders[part] = self._canonical(part, rows, labels[part].astype(np.int64))
        ordered = {part: labels[part].astype("<i8")[order - self._first[part]] for part, order in orders.items()}
        for file, parts in (("train", ("train", "validation")), ("test", ("test",))):
            order = np.concatenate([orders[part] for part in parts if part in orders])
            left_out = np.setdiff1d(np.arange(self._rows[file]), order)
            self._files[file].reorder(np.concatenate([order, left_out]))
            self._files[file].finish(len(order))
            np.save(self._scratch / f"{file}_labels.npy", np.concatenate([ordered[p] for p in parts if p in ordered]))
            if file == "train":
                np.save(self._scratch / f"{SUMS}.npy", self._sums[order])

        total = hashlib.sha256(f"{num_classes}".encode())
        start = 0
        for part in ("train", "test", "validation"):
            if part in ordered:
                start = len(ordered["train"]) if part == "validation" else 0
                self._hash(total, "test" if part == "test" else "train", start, ordered[part])
        meta: dict[str, object] = {"num_classes": num_classes, "class_names": class_names}
        if "validation" in ordered:
            meta["num_held_out"] = len(ordered["validation"])
        name = total.hexdigest()
        keep(self._scratch, name, meta)
        return name

    def _canonical(self, part: str, rows: Indices, labels: NDArray[np.int64]) -> Indices:
        """Rows of the part's file in canonical order, of the given rows of the part."""
        digests = self._digests["test" if part == "test" else "train"]
        in_file = rows + self._first[part]
        # Four numbers in the order of their bytes; the last key counts first.
        words = digests[in_file].view(">u8").astype(np.uint64)
        order: Indices = in_file[np.lexsort((labels[rows], *words.T[::-1]))]
        return order

    def _hash(self, total: "hashlib._Hash", file: str, start: int, labels: NDArray[np.integer]) -> None:
        """Add the shape, the pixels and the labels of a part."""
        total.update(f"{(len(labels), *self._shape)}".encode())
        rows = max(1, _CHUNK_BYTES // int(np.prod(self._shape, dtype=np.int64)))
        for first in range(start, start + len(labels), rows):
            chunk = np.arange(first, min(first + rows, start + len(labels)))
            images = np.empty((len(chunk), *self._shape), dtype=np.uint8)
            self._files[file].read(chunk, images)
            total.update(images.data)
        total.update(labels.tobytes())


def pixel_sums(images: Pixels) -> NDArray[np.int64]:
    """(channels, 2) the sum of the bytes of images (n, height, width, channels), and that of their squares."""
    values = np.arange(256, dtype=np.int64)
    counts = [np.bincount(images[..., channel].reshape(-1), minlength=256) for channel in range(images.shape[-1])]
    return np.stack(counts) @ np.stack([values, values**2], axis=1)
