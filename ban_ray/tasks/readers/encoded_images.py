"""Encoded images of every layout, decoded in parallel to one size; images that cannot be are told all at once."""

import io
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from ban_ray.cli.text import format_bytes
from ban_ray.errors import UserError
from ban_ray.tasks.decoded.image_file import Pixels
from ban_ray.tasks.decoded.image_writer import ImageWriter
from ban_ray.tasks.image_dataset import ImageDataset, Labels, load_image_dataset
from ban_ray.tasks.readers.file_parts import PART_NAMES
from ban_ray.tasks.readers.image_decoding import center_crop_resize, decode, open_image, read_header
from ban_ray.tasks.readers.progress import Progress
from ban_ray.tasks.source import MAX_SIDE, MIN_SIDE

IMAGES_AT_ONCE = 32
"""A thread's portion: enough to make handing it out cheap, few enough to hold some for each thread."""

_PORTIONS_PER_THREAD = 2
"""Portions in memory, so that no thread waits for the next one to be read."""

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
    """Encoded images and their labels (n,), of which `place` is the file or folder.

    Attributes:
        images: begins to read them, as often as it is called; they are not held all at once.
    """

    place: Path
    images: Callable[[], Iterable[EncodedImage]]
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


@dataclass(frozen=True)
class EncodedImages:
    """A data set whose images are not decoded yet.

    Attributes:
        parts: ``train``, ``test`` and, where there is one, ``validation``.
        class_names: by label; empty where the files hold none.
    """

    parts: Mapping[str, EncodedPart]
    num_classes: int
    class_names: tuple[str, ...]
    expected: Expected

    def cache(self) -> ImageDataset:
        """Decode every image into the cache, in as many threads as there are processors.

        Images are in one channel where every one is gray, otherwise in three, unless a shape is expected.

        Raises:
            UserError: an image cannot be decoded or does not fit, a class has no image, the images' sizes differ and
                none is asked for, or the cache has too little room.
            OSError: the cache cannot be written.
        """
        parts, expected = self.parts, self.expected
        total = sum(len(part.labels) for part in parts.values())
        bad: dict[tuple[str, int], str] = {}
        with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
            # About damaged metadata, transparency in palettes and pictures of a hundred megapixels: none changes
            # pixels.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            shape = expected.shape or self._common_shape(bad, pool)
            with ImageWriter({name: len(part.labels) for name, part in parts.items()}, shape) as writer:

                def decode_one(part: str, row: int, image: EncodedImage) -> None:
                    pixels = _pixels(image, shape, must_fit=expected.shape is not None)
                    writer.write(part, row, pixels)

                title = f"Decoding {total:,} images to {format_bytes(writer.num_bytes)} on disk"
                for _ in self._for_each(decode_one, bad, pool, title):
                    pass
                if bad and not expected.skip_bad:
                    left_out = "leaves it out" if len(bad) == 1 else "leaves them out"
                    raise UserError(f"{_listing(bad, total)}; --skip-bad {left_out}")
                kept = {name: np.ones(len(part.labels), dtype=np.bool_) for name, part in parts.items()}
                for name, row in bad:
                    kept[name][row] = False
                for name, part in parts.items():
                    if not kept[name].any():
                        decodable = " that can be decoded" * bool(bad)
                        raise UserError(f"{part.place} holds no images{decodable}; one is needed")
                if expected.num_classes is None:
                    train = parts["train"]
                    check_every_class(train.place, train.labels[kept["train"]], self.num_classes, self.class_names)
                labels = {name: part.labels for name, part in parts.items()}
                fingerprint = writer.finish(labels, self.num_classes, self.class_names, kept)
        return replace(load_image_dataset(fingerprint), skipped=len(bad))

    def _common_shape(self, bad: dict[tuple[str, int], str], pool: ThreadPoolExecutor) -> tuple[int, int, int]:
        """The shape that all images are brought to, by their headers."""
        sizes: dict[tuple[int, int], None] = {}
        all_gray = True
        total = sum(len(part.labels) for part in self.parts.values())
        title = f"Reading the headers of {total:,} images"
        for header in self._for_each(lambda _, __, image: _open(image, read_header), bad, pool, title):
            if header is not None:
                sizes[header.height, header.width] = None
                all_gray = all_gray and header.is_gray
        channels = 1 if sizes and all_gray else 3
        if self.expected.size is not None:
            return (*self.expected.size, channels)
        if not sizes:
            raise UserError(_listing(bad, total))
        if len(sizes) > 1:
            shown = ", ".join(f"{height}x{width}" for height, width in islice(sizes, 3))
            raise UserError(
                f"the images have {len(sizes)} sizes (height x width: {shown}{', ...' * (len(sizes) > 3)}); "
                "--image-size is needed, which scales all of them to cover one size and cuts out their middles"
            )
        ((height, width),) = sizes
        if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
            raise UserError(
                f"the images are {height}x{width} pixels (height x width); --image-size is needed, sides from "
                f"{MIN_SIDE} to {MAX_SIDE} pixels are allowed"
            )
        return height, width, channels

    def _for_each(
        self,
        function: Callable[[str, int, EncodedImage], R],
        bad: dict[tuple[str, int], str],
        pool: ThreadPoolExecutor,
        title: str,
    ) -> Iterator[R | None]:
        """Results in the images' order, None for those that are in `bad` or come into it, by row with a sentence."""

        def work(part: str, first: int, portion: Sequence[EncodedImage]) -> list[R | None]:
            results: list[R | None] = []
            for row, image in enumerate(portion, first):
                result = None
                if (part, row) not in bad:
                    try:
                        result = function(part, row, image)
                    except _MisfitError:
                        raise
                    except UserError as error:
                        bad[part, row] = str(error)
                results.append(result)
            return results

        most = _PORTIONS_PER_THREAD * (os.cpu_count() or 1)
        running: deque[Future[list[R | None]]] = deque()
        try:
            with Progress(title, sum(len(part.labels) for part in self.parts.values())) as progress:
                for portion in chain(self._portions(), [None] * most):
                    if portion is not None:
                        running.append(pool.submit(work, *portion))
                    if running and (portion is None or len(running) == most):
                        # In the order of the images, so that of several errors the first one is raised.
                        results = running.popleft().result()
                        progress.advance(len(results))
                        yield from results
        finally:
            # Nothing may be written any more when this has ended.
            for future in running:
                future.cancel()
            wait(running)

    def _portions(self) -> Iterator[tuple[str, int, list[EncodedImage]]]:
        """A part, the row of the first image, and some images."""
        for name, part in self.parts.items():
            images, total = iter(part.images()), len(part.labels)
            for row in range(0, total + 1, IMAGES_AT_ONCE):
                portion = list(islice(images, IMAGES_AT_ONCE))
                if len(portion) != min(IMAGES_AT_ONCE, total - row):
                    raise UserError(f"{part.place} has changed while it was read; it had {total:,} images")
                if portion:
                    yield name, row, portion


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


def _listing(bad: Mapping[tuple[str, int], str], total: int) -> str:
    sentences = [bad[image] for image in sorted(bad, key=lambda image: (list(PART_NAMES).index(image[0]), image[1]))]
    if len(sentences) == 1:
        return sentences[0]
    more = f"; and {len(sentences) - _LISTED} more" if len(sentences) > _LISTED else ""
    return f"{len(sentences):,} of {total:,} images cannot be decoded: {'; '.join(sentences[:_LISTED])}{more}"
