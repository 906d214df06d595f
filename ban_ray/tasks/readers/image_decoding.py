"""Decoding of image files; every error of a decoder becomes one sentence."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import Pixels

# PIL knows more formats, some of which start other programs; these are the ones of torchvision's extensions, and
# GIF, which collections of pictures from the Web hold under other names.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")

# What PIL's plugins raise on damaged files: they read headers with plain indexing and struct.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@contextmanager
def open_image(source: Path | BinaryIO, name: str) -> Iterator[Image.Image]:
    """The first picture in an encoded file; in the block it may be decoded, and little else should be done.

    Args:
        name: what the sentence calls it.

    Raises:
        UserError: it cannot be read, is in none of `FORMATS`, or is damaged.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError as error:
        # PIL's own words hold the address of a Python object.
        raise UserError(f"{name} is corrupt or in none of the formats {', '.join(FORMATS)}") from error
    except _DECODER_ERRORS as error:
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{name} cannot be read ({error.strerror})") from error
        raise UserError(f"{name} is corrupt ({' '.join(str(error).split())[:150]})") from error


def is_gray(file: Path) -> bool:
    """Whether a file's pixels are one channel of at most 8 bits; only its header is read."""
    with open_image(file, str(file)) as image:
        return image.mode in ("1", "L")


def center_crop_resize(file: Path, height: int, width: int, channels: int) -> Pixels:
    """(height, width, channels) bytes: the picture scaled until it just covers the size, its middle cut out.

    Scaling is bilinear over all pixels of the file that a new pixel covers (antialiased), as in torchvision's
    ``Resize``; a picture that has the size already keeps its pixels. Transparency is dropped, and turning by
    Exif is not done, both as in torchvision's ``ImageFolder``.

    Args:
        channels: 1 for gray or 3 for RGB.

    Raises:
        UserError: the file cannot be decoded or holds more than 8 bits a channel in one channel.
    """
    with open_image(file, str(file)) as image:
        if image.mode.startswith(("I", "F")):
            # PIL would cut such values off at 255: nearly white pictures.
            raise UserError(f"{file} holds more than 8 bits a pixel (mode {image.mode}); 8-bit images are needed")
        plain = image.convert("L" if channels == 1 else "RGB")
        sized = ImageOps.fit(plain, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(sized, dtype=np.uint8).reshape(height, width, channels)
