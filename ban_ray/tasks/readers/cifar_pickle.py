"""CIFAR from the files that torchvision reads: pickled dictionaries of pixels and labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import UserError
from ban_ray.tasks.decoded.image_file import Pixels
from ban_ray.tasks.image_dataset import ImageArrays, RawImages
from ban_ray.tasks.readers.safe_pickle import BytesArray, load

LABEL_KEYS = ("fine_labels", "labels")
_SIDE = 32


def read(train: Sequence[Path], test: Sequence[Path], num_classes: int, label_key: str | None) -> RawImages:
    """Images (n, 32, 32, 3) of the files for training and those for test.

    Args:
        num_classes: labels must lie in 0 .. num_classes - 1.
        label_key: of the labels in the files, None for the first of `LABEL_KEYS` that exists.

    Raises:
        UserError: a file cannot be read, holds a Python object other than plain values and arrays of bytes, lacks
            a key, or its pixels or labels do not fit.
    """
    parts = []
    for files in (train, test):
        batches = [_batch(file, num_classes, label_key) for file in files]
        part = ImageArrays(np.concatenate([b.images for b in batches]), np.concatenate([b.labels for b in batches]))
        if not len(part.labels):
            raise UserError(f"{files[0].parent} holds no images in {' and '.join(file.name for file in files)}")
        parts.append(part)
    return RawImages(parts[0], parts[1], num_classes)


def _batch(file: Path, num_classes: int, label_key: str | None) -> ImageArrays:
    content = load(file)
    if not isinstance(content, dict):
        raise UserError(f"{file} holds a {type(content).__name__}; a dictionary with 'data' and labels is needed")
    keys = (label_key,) if label_key is not None else LABEL_KEYS
    key = next((key for key in keys if key in content), None)
    if key is None or "data" not in content:
        missing = "'data'" if "data" not in content else " or ".join(map(repr, keys))
        present = ", ".join(key for key in content if isinstance(key, str))[:100]
        raise UserError(f"{file} has no {missing}; its keys are {present}")
    images = _images(file, content["data"])
    labels = _labels(file, key, content[key], num_classes)
    if len(images) != len(labels):
        raise UserError(f"{file} holds {len(images)} images but {len(labels)} labels under {key!r}")
    return ImageArrays(images, labels)


def _images(file: Path, data: object) -> Pixels:
    size = 3 * _SIDE * _SIDE
    array = data.array() if isinstance(data, BytesArray) else None
    if array is None or array.ndim != 2 or array.shape[1] != size:
        kind = type(data).__name__ if array is None else "x".join(map(str, array.shape))
        raise UserError(f"{file}: 'data' is {kind}; an array of bytes with {size} columns is needed")
    # A row holds the red plane, then the green and the blue one.
    return array.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)


def _labels(file: Path, key: str, values: object, num_classes: int) -> NDArray[np.int64]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise UserError(f"{file}: {key!r} must be a list of whole numbers")
    wrong = next((value for value in values if not 0 <= value < num_classes), None)
    if wrong is not None:
        raise UserError(f"{file}: {key!r} holds {str(wrong)[:20]}; allowed are 0 to {num_classes - 1}")
    return np.asarray(values, dtype=np.int64)
