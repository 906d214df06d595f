"""Images from Parquet as on Hugging Face: encoded images, and labels as numbers or names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import Labels
from ban_ray.tasks.readers.encoded_images import (
    IMAGES_AT_ONCE,
    EncodedImage,
    EncodedImages,
    EncodedPart,
    Expected,
    check_every_class,
)

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("fine_label", "label", "labels")
IMAGES_FOR_ALL_CLASSES = 3
"""Times the classes: training images among which the last class is expected."""


_BUFFER_BYTES = 2**20


@dataclass(frozen=True)
class _Shard:
    """A file's labels, and the names of the classes that its schema has.

    Attributes:
        images: name of the image column.
        column: name of the label column.
        labels: whole numbers, or all of them names.
        class_names: in the order of the numbers; empty where the schema has none.
    """

    file: Path
    column: str
    images: str
    labels: Sequence[int | str]
    class_names: tuple[str, ...]


def read(
    parts: Mapping[str, Sequence[Path]], label_column: str | None, expected: Expected, also_classes: Sequence[int] = ()
) -> EncodedImages:
    """Images of the files of each part, of which only the labels are read yet.

    Labels that are numbers keep them; the names of the classes are those of a ``ClassLabel`` of Hugging Face's
    ``datasets``, which has them in the schema's metadata. Labels that are names are numbered in their sorted order,
    as torchvision's ImageFolder does.

    Args:
        also_classes: numbers of classes that are allowed beside the expected one.

    Raises:
        UserError: an unreadable file, a missing column, a label that does not fit or is of a class that the training
            part lacks.
    """
    shards = {part: [_shard(file, label_column) for file in files] for part, files in parts.items()}
    num_classes, class_names = _classes(shards, expected.num_classes, also_classes)
    numbers = {name: number for number, name in enumerate(class_names)}
    encoded = {
        part: EncodedPart(
            of_part[0].file if len(of_part) == 1 else of_part[0].file.parent,
            partial(_images, of_part),
            np.concatenate([_numbered(shard, numbers, num_classes) for shard in of_part]),
        )
        for part, of_part in shards.items()
    }
    if expected.num_classes is None:
        # Before the images, which take longer.
        check_every_class(encoded["train"].place, encoded["train"].labels, num_classes, class_names)
    return EncodedImages(encoded, num_classes, class_names, expected)


def _shard(file: Path, label_column: str | None) -> _Shard:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            image = _choose(file, schema.names, IMAGE_COLUMNS, "image")
            label = _choose(file, schema.names, LABEL_COLUMNS if label_column is None else (label_column,), "label")
            values = parquet.read(columns=[label]).column(label).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from error
    if not values:
        raise UserError(f"{file} holds no images; at least one is needed")
    _check_encoded(file, image, schema.field(image).type)
    return _Shard(file, label, image, _labels(file, label, values), _class_names(schema, label))


def _images(shards: Sequence[_Shard]) -> Iterator[EncodedImage]:
    """The images of some files, of which few are in memory at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for shard in shards:
        row = 0
        try:
            # By default all row groups are read before the first batch comes, and kept.
            with pq.ParquetFile(shard.file, buffer_size=_BUFFER_BYTES, pre_buffer=False) as parquet:
                for batch in parquet.iter_batches(IMAGES_AT_ONCE, columns=[shard.images], use_threads=False):
                    column = batch.column(0)
                    if pa.types.is_struct(column.type):
                        column = pc.struct_field(column, "bytes")
                    for content in column.to_pylist():
                        yield EncodedImage(content, f"{shard.file}: the image in row {row}")
                        row += 1
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(shard.file, error) from error


def _unreadable(file: Path, error: Exception) -> UserError:
    return UserError(f"{file} cannot be read as Parquet: {' '.join(str(error).split())}")


def _choose(file: Path, columns: list[str], names: tuple[str, ...], content: str) -> str:
    column = next((name for name in names if name in columns), None)
    if column is None:
        raise UserError(
            f"{file} has no {content} column {' or '.join(map(repr, names))}; its columns are {', '.join(columns)}"
        )
    return column


def _labels(file: Path, column: str, values: list[object]) -> list[int | str]:
    by_name = isinstance(values[0], str)
    labels: list[int | str] = []
    for row, value in enumerate(values):
        if by_name and isinstance(value, str):
            labels.append(value)
        elif not by_name and isinstance(value, int | float) and value == value // 1:
            labels.append(int(value))
        else:
            kind = "nothing" if value is None else f"the {type(value).__name__} {value!r:.30}"
            needed = "a class name" if by_name else "a whole number"
            raise UserError(f"{file}: row {row} of label column {column!r} holds {kind}; {needed} is needed")
    return labels


def _check_encoded(file: Path, name: str, kind: "pa.DataType") -> None:
    """Raises UserError: a column holds neither bytes nor a struct with the field ``bytes``."""
    import pyarrow as pa

    shown = kind
    if pa.types.is_struct(kind) and (place := kind.get_field_index("bytes")) >= 0:
        shown = kind = kind.field(place).type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise UserError(
            f"{file}: image column {name!r} holds {shown!s:.40}; encoded images are needed, as bytes or in a "
            "struct with the field bytes"
        )


def _class_names(schema: "pa.Schema", column: str) -> tuple[str, ...]:
    """Names of a ``ClassLabel`` in the metadata that Hugging Face's ``datasets`` writes; empty without them."""
    try:
        feature = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        names = feature["names"] if feature["_type"] == "ClassLabel" else ()
    except (ValueError, LookupError, TypeError, RecursionError):
        # Metadata of other programs.
        return ()
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _classes(
    shards: Mapping[str, Sequence[_Shard]], expected: int | None, also: Sequence[int]
) -> tuple[int, tuple[str, ...]]:
    """The number of classes and their names, where they have any."""
    training, every = shards["train"], [shard for of_part in shards.values() for shard in of_part]
    first = training[0]
    by_name = isinstance(first.labels[0], str)
    for shard in every:
        if isinstance(shard.labels[0], str) != by_name:
            raise UserError(f"labels are names in one of {first.file} and {shard.file} and numbers in the other")
    named = [shard for shard in every if shard.class_names]
    for shard in named:
        if shard.class_names != named[0].class_names:
            raise UserError(f"{shard.file} has other names of classes, or another order of them, than {named[0].file}")
    labels = [label for shard in training for label in shard.labels]
    names: tuple[str, ...] = tuple(sorted(map(str, set(labels)))) if by_name else ()
    names = names or (named[0].class_names if named else ())
    count = len(names) or max(0, *(label for label in labels if isinstance(label, int))) + 1
    if expected is None:
        return count, names
    allowed = (expected, *also)
    many = len(labels) >= IMAGES_FOR_ALL_CLASSES * expected
    if count not in allowed and (names or (many and count < expected)):
        raise UserError(
            f"{first.file}: label column {first.column!r} is of {count} classes; "
            f"{' or '.join(map(str, allowed))} are needed, and --task folder takes any number"
        )
    return expected, names


def _numbered(shard: _Shard, numbers: Mapping[str, int], num_classes: int) -> Labels:
    named = [label for label in shard.labels if isinstance(label, str)]
    if named:
        if unknown := next((name for name in named if name not in numbers), None):
            raise UserError(f"{shard.file} has images of class {unknown!r:.50}, which the training part lacks")
        return np.asarray([numbers[name] for name in named], dtype=np.int64)
    whole = [label for label in shard.labels if isinstance(label, int)]
    if min(whole) < 0 or max(whole) >= num_classes:
        raise UserError(
            f"{shard.file}: labels of column {shard.column!r} run from {min(whole)} to {max(whole)}; "
            f"allowed are 0 to {num_classes - 1}"
        )
    return np.asarray(whole, dtype=np.int64)
