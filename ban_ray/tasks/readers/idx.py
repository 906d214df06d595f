"""Images from idx files, plain or compressed: bytes after a short header, as of Fashion-MNIST."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import ImageArrays, RawImages

_UNSIGNED_BYTE = 0x08


def read(files: Sequence[Path], num_classes: int, side: int) -> RawImages:
    """Images (n, side, side, 1).

    Args:
        files: images and labels for training, then for test.
        num_classes: labels must lie in 0 .. num_classes - 1.
        side: height and width that the images must have, in pixels.

    Raises:
        UserError: a file cannot be read, is no idx file of bytes, is longer or shorter than its header says, or
            holds images or labels that do not fit.
    """
    train_images, train_labels, test_images, test_labels = files
    train = _part(train_images, train_labels, num_classes, side)
    return RawImages(train, _part(test_images, test_labels, num_classes, side), num_classes)


def _part(image_file: Path, label_file: Path, num_classes: int, side: int) -> ImageArrays:
    images, labels = _array(image_file, 3), _array(label_file, 1)
    if images.shape[1:] != (side, side):
        height, width = images.shape[1:]
        raise UserError(f"{image_file} holds images of {height}x{width} pixels; {side}x{side} is needed")
    if not len(images):
        raise UserError(f"{image_file} holds no images; at least one is needed")
    if len(images) != len(labels):
        raise UserError(f"{label_file} holds {len(labels)} labels for the {len(images)} images of {image_file}")
    if labels.max() >= num_classes:
        raise UserError(f"{label_file}: label {labels.max()} is too large; allowed are 0 to {num_classes - 1}")
    return ImageArrays(images[..., None], labels.astype(np.int64))


def _array(file: Path, dimensions: int) -> NDArray[np.uint8]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            content = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise UserError(f"{file} begins with {content[:4].hex() or 'nothing'}; {dimensions}-dimensional idx is needed")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if math.prod(shape) != len(content) - start:
        size = "x".join(map(str, shape))
        raise UserError(f"{file} holds {len(content) - start} bytes of data; its header says {size}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
