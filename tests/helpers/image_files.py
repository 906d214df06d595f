"""Random pictures written in every layout that is read: Parquet, pickles, idx files, folders of image files."""

import gzip
import io
import json
import pickle
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.tasks.types import cifar, fashion_mnist

Dump = Callable[[NDArray[np.uint8], dict[str, object]], bytes]


@dataclass(frozen=True)
class Pictures:
    """Images (n, side, side, 3) and labels (n,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __getitem__(self, order: slice | NDArray[np.int64]) -> "Pictures":
        return Pictures(self.images[order], self.labels[order])


def random_pictures(count: int, *, classes: int = 10, side: int = 32, seed: int = 0) -> Pictures:
    chance = np.random.default_rng(seed)
    return Pictures(
        chance.integers(0, 256, (count, side, side, 3), dtype=np.uint8), np.arange(count, dtype=np.int64) % classes
    )


def encode(image: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def write_table(
    file: Path, encoded: Sequence[object], labels: object, *, image: str = "img", label: str = "label"
) -> None:
    pq.write_table(pa.table({image: list(encoded), label: labels}), file)


def write_part(
    file: Path, pictures: Pictures, *, image: str = "img", label: str = "label", kind: str = "PNG", rows: int = 7
) -> None:
    """In row groups of `rows`, with a column that nothing needs."""
    table = pa.table(
        {
            "id": [f"{number}" for number in range(len(pictures.labels))],
            image: [{"bytes": encode(picture, kind), "path": None} for picture in pictures.images],
            label: pictures.labels,
        }
    )
    pq.write_table(table, file, row_group_size=rows)


def write_folder(folder: Path, train: Pictures, test: Pictures, **columns: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in zip(("train.parquet", "test.parquet"), (train, test), strict=True):
        write_part(folder / name, part, **columns)  # type: ignore[arg-type]
    return folder


def write_shards(
    folder: Path,
    parts: Mapping[str, Pictures],
    *,
    shards: int = 2,
    image: str = "image",
    label: str = "label",
    names: Sequence[str] = (),
    as_text: bool = False,
) -> Path:
    """``<part>-00000-of-0000N.parquet`` as on Hugging Face, with a `ClassLabel` of these names, or names as labels."""
    feature = {"names": list(names), "_type": "ClassLabel"} if names else {"dtype": "int64", "_type": "Value"}
    info = {"info": {"features": {image: {"_type": "Image"}, label: feature}}}
    metadata = {"huggingface": json.dumps(info)} if not as_text else {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, pictures in parts.items():
        for number, places in enumerate(np.array_split(np.arange(len(pictures.labels)), shards)):
            labels = pictures.labels[places].tolist()
            table = pa.table(
                {
                    image: [{"bytes": encode(pictures.images[place].squeeze()), "path": None} for place in places],
                    label: [names[each] for each in labels] if as_text else labels,
                }
            )
            file = folder / f"{part}-{number:05d}-of-{shards:05d}.parquet"
            pq.write_table(table.replace_schema_metadata(metadata), file)
    return folder


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
    name = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[task]
    place = folder / name
    place.mkdir(parents=True)
    key = "labels" if task == "cifar10" else "fine_labels"
    for names, pictures in zip(cifar.BATCH_FILES[name], (train, test), strict=True):
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
    for name, array in zip(fashion_mnist.FILES, arrays, strict=True):
        if packed:
            (place / f"{name}.gz").write_bytes(gzip.compress(to_idx(array)))
        else:
            (place / name).write_bytes(to_idx(array))


def write_images(
    folder: Path,
    train: Pictures,
    test: Pictures,
    *,
    names: Sequence[str] = tuple("0123456789"),
    kind: str = "png",
    more: Mapping[str, Pictures] = MappingProxyType({}),
) -> Path:
    """``train/<class>/<number>.<kind>`` and the same for test and for parts by other names."""
    for part, pictures in (("train", train), ("test", test), *more.items()):
        for number, (image, label) in enumerate(zip(pictures.images, pictures.labels, strict=True)):
            place = folder / part / names[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.squeeze()).save(place / f"{number}.{kind}")
    return folder


def open_images(source: Source, fingerprint: str | None = None) -> ImageDataset:
    dataset = open_source(source, fingerprint)
    assert isinstance(dataset, ImageDataset)
    return dataset
