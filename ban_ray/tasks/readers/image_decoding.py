"""Decoding of image files; every error of a decoder becomes one sentence."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ban_ray.errors import UserError

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

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By Exif orientation, as `PIL.ImageOps.exif_transpose` has it, which also writes metadata again and may fail at it."""

_SIDEWAYS = (5, 6, 7, 8)


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
        if not (source.stat().st_size if isinstance(source, Path) else source.seek(0, io.SEEK_END)):
            raise UserError(f"{name} is empty: it has no bytes") from error
        # PIL's own words hold the address of a Python object.
        raise UserError(f"{name} is corrupt or in none of the formats {', '.join(FORMATS)}") from error
    except _DECODER_ERRORS as error:
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{name} cannot be read ({error.strerror})") from error
        raise UserError(f"{name} is corrupt ({' '.join(str(error).split())[:150]})") from error


@dataclass(frozen=True)
class Header:
    """What a picture has before it is decoded: its size in pixels when it stands upright, and whether it is gray."""

    height: int
    width: int
    is_gray: bool


def read_header(image: Image.Image) -> Header:
    """The header of an opened picture; no pixel is decoded."""
    width, height = image.size
    # Before a TIFF is decoded, PIL has its sides in their order already.
    if image.format != "TIFF" and _orientation(image) in _SIDEWAYS:
        width, height = height, width
    return Header(height, width, image.mode in ("1", "L") or _is_deep(image))


def decode(image: Image.Image, channels: int) -> Image.Image:
    """The pixels of an opened picture, upright, as bytes of one channel (PIL's mode L) or three (RGB).

    A picture is turned as its Exif says (`PIL.ImageOps.exif_transpose`). Gray, palettes and CMYK become RGB as by
    PIL's ``convert``; transparency is dropped. Of 16 bits the upper 8 are taken, as torchvision's
    ``to_dtype(scale=True)`` does after ``decode_image``; PIL's own conversion would cut them off at 255.

    Args:
        channels: 1 for gray or 3 for RGB.

    Raises:
        ValueError: the pixels are 32-bit numbers, whose range is not known.
    """
    image.load()
    # Of a TIFF that is decoded, PIL has turned the pixels and dropped the tag.
    turn = _TURNS.get(_orientation(image))
    if _is_deep(image):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode.startswith(("I", "F")):
        raise ValueError(f"mode {image.mode}; at most 16 bits a pixel and channel are allowed")
    upright = image if turn is None else image.transpose(turn)
    return upright.convert("L" if channels == 1 else "RGB")


def _is_deep(image: Image.Image) -> bool:
    """Whether a picture is gray with 16 bits a pixel; PIL widens those of PGM files to 32."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS:
        # Pixels do not depend on damaged metadata.
        return 1
    return value if isinstance(value, int) else 1


def center_crop_resize(image: Image.Image, height: int, width: int) -> Image.Image:
    """The picture scaled until it just covers the size, its middle cut out.

    Scaling is bilinear over all pixels of the file that a new pixel covers (antialiased), as in torchvision's
    ``Resize``; a picture that has the size already keeps its pixels.
    """
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
