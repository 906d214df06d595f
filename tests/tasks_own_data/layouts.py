"""Random pictures written in every layout that is read: Parquet, pickles, idx files, folders of image files."""

import gzip
import pickle
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ban_ray.tasks.readers import cifar_pickle, fashion_mnist_idx
from tests.tasks.pictures import Pictures

Dump = Callable[[NDArray[np.uint8], dict[str, object]], bytes]


def rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 32, 32, 3) as CIFAR's (n, 3072): the red plane, then green, then blue."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def python3(data: NDArray[np.uint8], fields: dict[str, object], protocol: int = 4) -> bytes:
    return pickle.dumps({"data": data, **fields}, protocol)


def python2(data: NDArray[np.uint8], fields: dict[str, object]) -> bytes:
    """Opcode for opcode as in the published files, which Python 2 wrote: text and pixels are byte strings."""

    def string(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text if len(text) < 256 else b"T" + struct.pack("<I", len(text)) + text

    def value(item: object) -> bytes:
        if isinstance(item, list):
            return b"](" + b"".join(map(value, item)) + b"e"
        return b"K" + bytes([item]) if isinstance(item, int) else string(str(item).encode())

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85U\x01b\x87R(K\x01"
        + b"".join(b"J" + struct.pack("<i", side) for side in data.shape)
        + b"\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + string(data.tobytes())
        + b"tb"
    )
    items = [string(name.encode()) + value(item) for name, item in fields.items()]
    return b"\x80\x02}q\x01(" + b"".join(items) + string(b"data") + array + b"u."


def write_cifar(
    folder: Path, task: str, train: Pictures, test: Pictures, *, dump: Dump = python2, **more: object
) -> Path:
    """torchvision's files; returns the folder that is given to torchvision."""
    place = folder / cifar_pickle.FOLDERS[task]
    place.mkdir(parents=True)
    key = "labels" if task == "cifar10" else "fine_labels"
    for names, pictures in zip(cifar_pickle.FILES[task], (train, test), strict=True):
        for name, batch in zip(names, np.array_split(np.arange(len(pictures.labels)), len(names)), strict=True):
            fields = {"batch_label": name, key: pictures.labels[batch].tolist(), **more}
            (place / name).write_bytes(dump(rows(pictures.images[batch]), fields))
    return folder


def to_idx(array: NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def gray_pictures(count: int, seed: int) -> Pictures:
    chance = np.random.default_rng(seed)
    return Pictures(chance.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8), np.arange(count) % 10)


def write_idx(place: Path, train: Pictures, test: Pictures, *, packed: bool) -> None:
    place.mkdir(parents=True, exist_ok=True)
    arrays = [array for part in (train, test) for array in (part.images[..., 0], part.labels.astype(np.uint8))]
    for name, array in zip(fashion_mnist_idx.FILES, arrays, strict=True):
        if packed:
            (place / f"{name}.gz").write_bytes(gzip.compress(to_idx(array)))
        else:
            (place / name).write_bytes(to_idx(array))


def write_images(
    folder: Path, train: Pictures, test: Pictures, *, names: Sequence[str] = tuple("0123456789"), kind: str = "png"
) -> Path:
    """``train/<class>/<number>.<kind>`` and the same for test."""
    for part, pictures in (("train", train), ("test", test)):
        for number, (image, label) in enumerate(zip(pictures.images, pictures.labels, strict=True)):
            place = folder / part / names[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.squeeze()).save(place / f"{number}.{kind}")
    return folder
