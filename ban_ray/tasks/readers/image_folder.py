"""The user's own images: ``train/`` and ``test/``, each in the layout of torchvision's ImageFolder."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import ImageArrays, RawImages

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""As torchvision's IMG_EXTENSIONS, in any case; files with others are ignored."""

_FILES_AT_ONCE = 64
"""A thread's portion: few enough to stop soon after an error, enough to make handing it out cheap."""


@dataclass(frozen=True)
class Tree:
    """The image files of a folder.

    Attributes:
        classes: names of the sub-folders, sorted; labels are positions in it.
        train, test: (file, label) of each sample.
    """

    classes: tuple[str, ...]
    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for file, _ in (*self.train, *self.test))


def scan(folder: Path) -> Tree:
    """List a folder; no image is opened.

    Raises:
        UserError: a part is missing or cannot be read, the classes of the parts differ, there are fewer than
            two, a class has no images, a link leads back to a folder above it.
    """
    names = [path.name for path in _listed(folder)[0]]
    for name in ("train", "test"):
        if name not in names:
            present = ", ".join(names[:5]) or "none"
            raise UserError(f"{folder} has no folder {name}; train and test are needed, and its folders are: {present}")
    train, test = (_classes(folder / name) for name in ("train", "test"))
    for part, classes, others in (("test", test, train), ("train", train, test)):
        if absent := [name for name in others if name not in classes]:
            raise UserError(
                f"{folder / part} has no folder for {_some(absent)}; train and test must have the same classes"
            )
    if len(train) < 2:
        raise UserError(f"{folder / 'train'} has {len(train)} class folders; at least two are needed")
    labelled = [(label, name) for label, name in enumerate(sorted(train))]
    parts = [tuple((file, label) for label, name in labelled for file in classes[name]) for classes in (train, test)]
    return Tree(tuple(sorted(train)), *parts)


def read(tree: Tree, size: tuple[int, int]) -> RawImages:
    """Decode every image to (height, width) pixels, in as many threads as there are processors.

    Pictures are in one channel where every file is gray (PIL's modes 1 and L), otherwise in three.

    Raises:
        UserError: a file cannot be decoded, or the arrays do not fit into memory.
    """
    from ban_ray.tasks.readers import image_decoding

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # About damaged metadata, transparency in palettes and pictures of a hundred megapixels: none changes pixels.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        channels = 1 if all(image_decoding.is_gray(file) for file in tree.files) else 3
        train, test = (_part(samples, (*size, channels), pool) for samples in (tree.train, tree.test))
    return RawImages(train, test, len(tree.classes), tree.classes)


def _part(samples: tuple[tuple[Path, int], ...], shape: tuple[int, int, int], pool: ThreadPoolExecutor) -> ImageArrays:
    from ban_ray.tasks.readers import image_decoding

    def fill(start: int) -> None:
        for index, (file, _) in enumerate(samples[start : start + _FILES_AT_ONCE], start):
            images[index] = image_decoding.center_crop_resize(file, *shape)

    try:
        images = np.empty((len(samples), *shape), np.uint8)
        # The first error in the files' order is raised, and what was not begun is dropped.
        for _ in pool.map(fill, range(0, len(samples), _FILES_AT_ONCE)):
            pass
    except MemoryError as error:
        height, width, channels = shape
        needed = len(samples) * height * width * channels / 2**30
        raise UserError(
            f"{len(samples)} images of {height}x{width} pixels and {channels} channels need {needed:.1f} GiB, "
            "more memory than there is; a smaller --image-size may help"
        ) from error
    return ImageArrays(images, np.asarray([label for _, label in samples], dtype=np.int64))


def _classes(part: Path) -> dict[str, list[Path]]:
    classes = {folder.name: list(_images(folder, ())) for folder in _listed(part)[0]}
    if empty := [name for name, files in classes.items() if not files]:
        raise UserError(f"{part} has no image for {_some(empty)}; extensions read are {' '.join(EXTENSIONS)}")
    return classes


def _images(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Image files of a folder and those below it; `above` are the (device, inode) of the folders around it."""
    folders, files = _listed(folder)
    yield from files
    if folders:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise UserError(f"{folder} is a link back to a folder that it lies in; such links cannot be followed")
        for below in folders:
            yield from _images(below, (*above, identity))


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sub-folders and image files, each sorted by name; links are followed."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(Path(entry.path))
                # A link to nothing is listed, since its image is missed; pipes and the like are not.
                elif entry.name.lower().endswith(EXTENSIONS) and (entry.is_file() or not Path(entry.path).exists()):
                    files.append(Path(entry.path))
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read ({error.strerror})") from error
    return sorted(folders), sorted(files)


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - 5} more classes" if len(names) > 5 else ""
    return f"{'class' if len(names) == 1 else 'classes'} {', '.join(map(repr, names[:5]))}{more}"
