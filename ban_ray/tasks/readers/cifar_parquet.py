"""CIFAR from Parquet as on Hugging Face: encoded images in a struct, integer labels."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import ImageArrays, RawImages

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("fine_label", "label")


def read(train: Path, test: Path, num_classes: int, side: int, label_column: str | None) -> RawImages:
    """Images of a file for training and one for test.

    Args:
        num_classes: labels must lie in 0 .. num_classes - 1.
        side: height and width that every image must have, in pixels.

    Raises:
        UserError: an unreadable file, a missing column, a corrupt image, a size or label that does
            not fit.
    """
    parts = [_part(file, num_classes, side, label_column) for file in (train, test)]
    return RawImages(parts[0], parts[1], num_classes)


def _part(file: Path, num_classes: int, side: int, label_column: str | None) -> ImageArrays:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        columns = table.schema_arrow.names
        image = _choose(file, columns, IMAGE_COLUMNS, "image")
        label = _choose(file, columns, LABEL_COLUMNS if label_column is None else (label_column,), "label")
        data = table.read(columns=[image, label])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} cannot be read as Parquet: {' '.join(str(error).split())}") from error
    if not data.num_rows:
        raise UserError(f"{file} holds no images; at least one is needed")
    # Before the images, which take longer.
    labels = _labels(file, label, data.column(label).to_pylist())
    rows = data.column(image).to_pylist()
    images = np.stack([_decode(file, row, content, side) for row, content in enumerate(rows)])
    if min(labels) < 0 or max(labels) >= num_classes:
        raise UserError(
            f"{file}: labels of column {label!r} run from {min(labels)} to {max(labels)}; "
            f"allowed are 0 to {num_classes - 1}"
        )
    return ImageArrays(images, np.asarray(labels, dtype=np.int64))


def _choose(file: Path, columns: list[str], names: tuple[str, ...], content: str) -> str:
    column = next((name for name in names if name in columns), None)
    if column is None:
        raise UserError(
            f"{file} has no {content} column {' or '.join(map(repr, names))}; its columns are {', '.join(columns)}"
        )
    return column


def _labels(file: Path, column: str, values: list[object]) -> list[int]:
    for row, value in enumerate(values):
        if not isinstance(value, int | float) or value != value // 1:
            kind = "nothing" if value is None else f"the {type(value).__name__} {value!r:.30}"
            raise UserError(f"{file}: row {row} of label column {column!r} holds {kind}; a whole number is needed")
    return [int(value) for value in values if isinstance(value, int | float)]


def _decode(file: Path, row: int, content: object, side: int) -> NDArray[np.uint8]:
    from ban_ray.tasks.readers.image_decoding import open_image

    encoded = content.get("bytes") if isinstance(content, dict) else content
    if not isinstance(encoded, bytes):
        raise UserError(f"{file}: row {row} holds no encoded image")
    with open_image(io.BytesIO(encoded), f"{file}: the image in row {row}") as image:
        pixels = np.asarray(image.convert("RGB"))
    if pixels.shape != (side, side, 3):
        height, width = pixels.shape[:2]
        raise UserError(f"{file}: the image in row {row} is {width}x{height}; {side}x{side} is needed")
    return pixels
