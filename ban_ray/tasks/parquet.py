"""CIFAR from Parquet as on Hugging Face: encoded images in a struct, integer labels."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import UserError
from ban_ray.tasks.decoded import Part

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("fine_label", "label")
FILES = ("train.parquet", "test.parquet")


def read(folder: Path, num_classes: int, side: int, label_column: str | None) -> tuple[Part, Part, int]:
    """Both parts of a folder.

    Args:
        num_classes: labels must lie in 0 .. num_classes - 1.
        side: height and width that every image must have, in pixels.

    Raises:
        UserError: a missing or unreadable file, a missing column, a corrupt image, a size or label that does
            not fit.
    """
    train, test = (_part(folder / name, num_classes, side, label_column) for name in FILES)
    return train, test, num_classes


def _part(file: Path, num_classes: int, side: int, label_column: str | None) -> Part:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.is_file():
        raise UserError(f"{file} is missing; --data needs a folder with {' and '.join(FILES)}")
    try:
        table = pq.ParquetFile(file)
        columns = table.schema_arrow.names
        image = _choose(file, columns, IMAGE_COLUMNS, "image")
        label = _choose(file, columns, (label_column,) if label_column else LABEL_COLUMNS, "label")
        data = table.read(columns=[image, label])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} cannot be read as Parquet: {' '.join(str(error).split())}") from error
    if not data.num_rows:
        raise UserError(f"{file} holds no images; at least one is needed")
    rows = data.column(image).to_pylist()
    images = np.stack([_decode(file, row, content, side) for row, content in enumerate(rows)])
    try:
        labels: NDArray[np.int64] = np.asarray(data.column(label).to_pylist(), dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{file}: column {label!r} must hold integers without gaps") from error
    if labels.min() < 0 or labels.max() >= num_classes:
        raise UserError(
            f"{file}: labels of column {label!r} run from {labels.min()} to {labels.max()}; "
            f"allowed are 0 to {num_classes - 1}"
        )
    return Part(images, labels)


def _choose(file: Path, columns: list[str], wanted: tuple[str, ...], what: str) -> str:
    found = [name for name in wanted if name in columns]
    if not found:
        raise UserError(
            f"{file} has no {what} column {' or '.join(map(repr, wanted))}; its columns are {', '.join(columns)}"
        )
    return found[0]


def _decode(file: Path, row: int, content: object, side: int) -> NDArray[np.uint8]:
    from PIL import Image

    encoded = content.get("bytes") if isinstance(content, dict) else content
    if not isinstance(encoded, bytes):
        raise UserError(f"{file}: row {row} holds no encoded image")
    try:
        pixels = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file}: the image in row {row} is corrupt ({error})") from error
    if pixels.shape != (side, side, 3):
        height, width = pixels.shape[:2]
        raise UserError(f"{file}: the image in row {row} is {width}x{height}; {side}x{side} is needed")
    return pixels
