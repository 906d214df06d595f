"""A data set decoded once: memory-mapped arrays under the hash of what they hold."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import platformdirs
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

_ARRAYS = ("train", "train_labels", "test", "test_labels")


@dataclass(frozen=True)
class Part:
    """Images (n, height, width, channels) as bytes and their labels (n,)."""

    images: Pixels
    labels: Labels


@dataclass(frozen=True)
class Contents:
    """A data set as it was read, in any order; `class_names` are empty where the files hold none."""

    train: Part
    test: Part
    num_classes: int
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """A data set in canonical order: sorted by the hash of each sample's pixels, then by label.

    Attributes:
        class_names: by label, as the first files with these pixels called them; empty where they hold none.
    """

    fingerprint: str
    num_classes: int
    train: Part
    test: Part
    class_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)"""
        return cast(tuple[int, int, int], self.train.images.shape[1:])


def cache_root() -> Path:
    """``$BAN_RAY_CACHE`` or the platform's cache folder."""
    return Path(os.environ.get("BAN_RAY_CACHE") or platformdirs.user_cache_dir("ban_ray"))


def canonical(part: Part) -> Part:
    """Sort by pixels, then label, so that the route by which the data came does not matter."""
    keys = [hashlib.sha256(image.tobytes()).digest() for image in part.images]
    order = sorted(range(len(keys)), key=lambda index: (keys[index], int(part.labels[index])))
    return Part(np.ascontiguousarray(part.images[order]), part.labels[order].astype(np.int64))


def fingerprint(train: Part, test: Part, num_classes: int) -> str:
    """SHA-256 of shapes, pixels and labels of both canonical parts."""
    total = hashlib.sha256(f"{num_classes}".encode())
    for part in (train, test):
        total.update(f"{part.images.shape}".encode())
        total.update(np.ascontiguousarray(part.images).data)
        total.update(part.labels.astype("<i8").tobytes())
    return total.hexdigest()


def keep(train: Part, test: Part, num_classes: int, class_names: tuple[str, ...] = ()) -> Decoded:
    """Sort, hash and write a data set under its fingerprint, unless it is there already."""
    train, test = canonical(train), canonical(test)
    name = fingerprint(train, test, num_classes)
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    final = root / name
    if not final.is_dir():
        scratch = Path(tempfile.mkdtemp(prefix=".decoding-", dir=root))
        try:
            arrays: tuple[Pixels | Labels, ...] = (train.images, train.labels, test.images, test.labels)
            for file, array in zip(_ARRAYS, arrays, strict=True):
                np.save(scratch / f"{file}.npy", array)
            (scratch / "meta.json").write_text(json.dumps({"num_classes": num_classes, "class_names": class_names}))
            try:
                scratch.rename(final)
            except OSError:
                # Another process wrote the same bytes first.
                if not final.is_dir():
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return load(name)


def load(name: str) -> Decoded:
    """Memory-map a data set by its fingerprint.

    Raises:
        FileNotFoundError: it was not decoded on this node.
    """
    folder = cache_root() / name
    meta = json.loads((folder / "meta.json").read_text())
    arrays = [np.load(folder / f"{file}.npy", mmap_mode="r") for file in _ARRAYS]
    train, test = Part(arrays[0], arrays[1]), Part(arrays[2], arrays[3])
    return Decoded(name, meta["num_classes"], train, test, tuple(meta.get("class_names", ())))
