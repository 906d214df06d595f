"""Encoded images of every layout, decoded in parallel to one size; images that cannot be are told all at once."""

import io
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import ImageArrays, Labels, Pixels, RawImages
from ban_ray.tasks.readers.image_decoding import center_crop_resize, decode, open_image, read_header
from ban_ray.tasks.source import MAX_SIDE, MIN_SIDE

_IMAGES_AT_ONCE = 64
"""A thread's portion: enough to make handing it out cheap."""

_LISTED = 20
"""Images that cannot be decoded and are named; the others are counted."""

R = TypeVar("R")


@dataclass(frozen=True)
class EncodedImage:
    """A file or its bytes, and what sentences call it; None where a table holds nothing."""

    source: Path | bytes | None
    name: str


@dataclass(frozen=True)
class EncodedPart:
    """Encoded images and their labels (n,), of which `place` is the file or folder."""

    place: Path
    images: Sequence[EncodedImage]
    labels: Labels


@dataclass(frozen=True)
class Expected:
    """What is asked of images.

    Attributes:
        num_classes: of the task; None for those that the training part has, all of which must have images.
        shape: (height, width, channels) that every image must have; None to bring all of them to one.
        size: (height, width) in pixels that images are brought to where no shape is asked for; None if all have one.
        skip_bad: whether images that cannot be decoded are left out.
    """

    num_classes: int | None = None
    shape: tuple[int, int, int] | None = None
    size: tuple[int, int] | None = None
    skip_bad: bool = False


class _MisfitError(UserError):
    """A whole image that is not what the task has."""


def decode_parts(
    parts: Mapping[str, EncodedPart], num_classes: int, class_names: tuple[str, ...], expected: Expected
) -> RawImages:
    """Decode every image, in as many threads as there are processors.

    Images are in one channel where every one is gray, otherwise in three, unless a shape is expected.

    Args:
        parts: ``train``, ``test`` and, where there is one, ``validation``.

    Raises:
        UserError: an image cannot be decoded or does not fit, a class has no image, the images' sizes differ and
            none is asked for, or the arrays do not fit into memory.
    """
    encoded = [image for part in parts.values() for image in part.images]
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # About damaged metadata, transparency in palettes and pictures of a hundred megapixels: none changes pixels.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        bad: dict[int, str] = {}
        shape = expected.shape or _common_shape(encoded, expected, bad, pool)
        images = _empty(len(encoded), shape)

        def fill(index: int, image: EncodedImage) -> None:
            images[index] = _pixels(image, shape, must_fit=expected.shape is not None)

        _for_each(fill, encoded, bad, pool)
    if bad and not expected.skip_bad:
        raise UserError(f"{_listing(bad, len(encoded))}; --skip-bad leaves {'it' if len(bad) == 1 else 'them'} out")
    good = np.ones(len(encoded), dtype=np.bool_)
    good[list(bad)] = False
    arrays, start = {}, 0
    for part, of_part in parts.items():
        rows = slice(start, start := start + len(of_part.images))
        kept = good[rows]
        arrays[part] = ImageArrays(images[rows] if kept.all() else images[rows][kept], of_part.labels[kept])
        if not kept.any():
            raise UserError(f"{of_part.place} holds no images{' that can be decoded' * bool(bad)}; one is needed")
    if expected.num_classes is None:
        check_every_class(parts["train"].place, arrays["train"].labels, num_classes, class_names)
    return RawImages(
        arrays["train"], arrays["test"], num_classes, class_names, held_out=arrays.get("validation"), skipped=len(bad)
    )


def check_every_class(place: Path, labels: Labels, num_classes: int, class_names: Sequence[str]) -> None:
    """Raises UserError: a class has no training image, or there are fewer than two."""
    if num_classes < 2:
        raise UserError(f"{place} has {num_classes} class; at least two are needed")
    absent = np.setdiff1d(np.arange(num_classes), labels).tolist()
    if absent:
        names = [class_names[label] if class_names else label for label in absent]
        raise UserError(f"{place} has no image for {some_classes(names)}; every class needs one in training")


def some_classes(names: Sequence[object]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - 5} more classes" if len(names) > 5 else ""
    return f"{'class' if len(names) == 1 else 'classes'} {', '.join(map(repr, names[:5]))}{more}"


def _common_shape(
    encoded: Sequence[EncodedImage], expected: Expected, bad: dict[int, str], pool: ThreadPoolExecutor
) -> tuple[int, int, int]:
    """The shape that all images are brought to, by their headers."""
    headers = _for_each(lambda _, image: _open(image, read_header), encoded, bad, pool)
    readable = [header for header in headers if header is not None]
    channels = 1 if readable and all(header.is_gray for header in readable) else 3
    if expected.size is not None:
        return (*expected.size, channels)
    sizes = list(dict.fromkeys((header.height, header.width) for header in readable))
    if not sizes:
        raise UserError(_listing(bad, len(encoded)))
    if len(sizes) > 1:
        shown = ", ".join(f"{height}x{width}" for height, width in sizes[:3])
        raise UserError(
            f"the images have {len(sizes)} sizes (height x width: {shown}{', ...' * (len(sizes) > 3)}); --image-size "
            "is needed, which scales all of them to cover one size and cuts out their middles"
        )
    (height, width) = sizes[0]
    if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
        raise UserError(
            f"the images are {height}x{width} pixels (height x width); --image-size is needed, sides from {MIN_SIDE} "
            f"to {MAX_SIDE} pixels are allowed"
        )
    return height, width, channels


def _pixels(image: EncodedImage, shape: tuple[int, int, int], *, must_fit: bool) -> Pixels:
    height, width, channels = shape

    def read(opened: Image.Image) -> Pixels:
        if must_fit and channels == 1 and not read_header(opened).is_gray:
            raise _MisfitError(f"{image.name} has colours; gray is needed")
        plain = decode(opened, channels)
        if must_fit and plain.size != (width, height):
            raise _MisfitError(f"{image.name} is {plain.width}x{plain.height}; {width}x{height} is needed")
        return np.asarray(center_crop_resize(plain, height, width), dtype=np.uint8).reshape(shape)

    return _open(image, read)


def _open(image: EncodedImage, read: Callable[[Image.Image], R]) -> R:
    if image.source is None:
        raise UserError(f"{image.name} holds no encoded image")
    source = io.BytesIO(image.source) if isinstance(image.source, bytes) else image.source
    with open_image(source, image.name) as opened:
        return read(opened)


def _for_each(
    function: Callable[[int, EncodedImage], R],
    encoded: Sequence[EncodedImage],
    bad: dict[int, str],
    pool: ThreadPoolExecutor,
) -> list[R | None]:
    """Results by image, None for those that are in `bad` or come into it, by number with a sentence."""

    def portion(start: int) -> list[R | None]:
        results: list[R | None] = []
        for index, image in enumerate(encoded[start : start + _IMAGES_AT_ONCE], start):
            result = None
            if index not in bad:
                try:
                    result = function(index, image)
                except _MisfitError:
                    raise
                except UserError as error:
                    bad[index] = str(error)
            results.append(result)
        return results

    # The first error in the images' order is raised, and what was not begun is dropped.
    portions = pool.map(portion, range(0, len(encoded), _IMAGES_AT_ONCE))
    return [result for results in portions for result in results]


def _listing(bad: Mapping[int, str], total: int) -> str:
    sentences = [bad[index] for index in sorted(bad)]
    if len(sentences) == 1:
        return sentences[0]
    more = f"; and {len(sentences) - _LISTED} more" if len(sentences) > _LISTED else ""
    return f"{len(sentences):,} of {total:,} images cannot be decoded: {'; '.join(sentences[:_LISTED])}{more}"


def _empty(count: int, shape: tuple[int, int, int]) -> Pixels:
    try:
        return np.empty((count, *shape), np.uint8)
    except MemoryError as error:
        height, width, channels = shape
        raise UserError(
            f"{count} images of {height}x{width} pixels and {channels} channels need "
            f"{count * height * width * channels / 2**30:.1f} GiB, more memory than there is; a smaller --image-size "
            "may help"
        ) from error
