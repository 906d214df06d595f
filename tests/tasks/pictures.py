"""Small Parquet data sets of random pictures, as on Hugging Face."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from ban_ray.tasks.readers.cifar_parquet import FILES


@dataclass(frozen=True)
class Pictures:
    """Images (n, side, side, 3) and labels (n,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __getitem__(self, order: object) -> "Pictures":
        return Pictures(self.images[order], self.labels[order])  # type: ignore[index]


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
    for name, part in zip(FILES, (train, test), strict=True):
        write_part(folder / name, part, **columns)  # type: ignore[arg-type]
    return folder
