"""Images in a tree of folders: one for each part, in it one for each class, as torchvision's ImageFolder has it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ban_ray.errors import UserError
from ban_ray.tasks.readers.encoded_images import EncodedImage, EncodedImages, EncodedPart, Expected, some_classes
from ban_ray.tasks.readers.file_parts import PART_NAMES, list_folder, name_of_part

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""As torchvision's IMG_EXTENSIONS, in any case; files with others are ignored."""


@dataclass(frozen=True)
class Tree:
    """The image files of a folder.

    Attributes:
        classes: names of the sub-folders, sorted as torchvision does; labels are positions in it.
        folders: of each part, ``validation`` only where there is one.
        parts: (file, label) of each sample of a part.
    """

    classes: tuple[str, ...]
    folders: Mapping[str, Path]
    parts: Mapping[str, tuple[tuple[Path, int], ...]]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for samples in self.parts.values() for file, _ in samples)


def scan(folder: Path) -> Tree:
    """List a folder; no image is opened.

    Raises:
        UserError: a part is missing or cannot be read, the classes of the parts differ, there are fewer than
            two, a class has no images, a link leads back to a folder above it.
    """
    names = [path.name for path in list_folder(folder)[0]]
    folders = {part: folder / name for part in PART_NAMES if (name := name_of_part(part, names, folder))}
    for part in ("train", "test"):
        if part not in folders:
            present = ", ".join(names[:5]) or "none"
            raise UserError(
                f"{folder} has no folder {part}; train and test are needed, with a folder for each class, or Parquet "
                f"files train.parquet and test.parquet or their shards, and its folders are: {present}"
            )
    classes = {part: _classes(place) for part, place in folders.items()}
    # A small validation part may lack some of the classes.
    for lacking, having in (("test", "train"), ("train", "test"), ("train", "validation")):
        if absent := [name for name in classes.get(having, ()) if name not in classes[lacking]]:
            raise UserError(
                f"{folders[lacking]} has no folder for {some_classes(absent)}, which {folders[having].name} has"
            )
    if len(classes["train"]) < 2:
        raise UserError(f"{folders['train']} has {len(classes['train'])} class folders; at least two are needed")
    labelled = [(label, name) for label, name in enumerate(sorted(classes["train"]))]
    parts = {
        part: tuple((file, label) for label, name in labelled for file in files.get(name, ()))
        for part, files in classes.items()
    }
    return Tree(tuple(name for _, name in labelled), folders, parts)


def read(tree: Tree, expected: Expected) -> EncodedImages:
    """The images of a tree, which are not opened yet.

    Raises:
        UserError: the number of classes is another than the expected one.
    """
    if expected.num_classes not in (None, len(tree.classes)):
        raise UserError(
            f"{tree.folders['train']} has folders for {len(tree.classes)} classes; {expected.num_classes} are needed"
        )
    parts = {
        part: EncodedPart(
            tree.folders[part],
            partial(_encoded, samples),
            np.asarray([label for _, label in samples], dtype=np.int64),
        )
        for part, samples in tree.parts.items()
    }
    return EncodedImages(parts, len(tree.classes), tree.classes, expected)


def _encoded(samples: Iterable[tuple[Path, int]]) -> Iterator[EncodedImage]:
    return (EncodedImage(file, str(file)) for file, _ in samples)


def _classes(part: Path) -> dict[str, list[Path]]:
    classes = {folder.name: list(_images(folder, ())) for folder in list_folder(part)[0]}
    if empty := [name for name, files in classes.items() if not files]:
        raise UserError(f"{part} has no image for {some_classes(empty)}; extensions read are {' '.join(EXTENSIONS)}")
    return classes


def _images(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Image files of a folder and those below it; `above` are the (device, inode) of the folders around it."""
    folders, files = list_folder(folder)
    yield from (file for file in files if file.name.lower().endswith(EXTENSIONS))
    if folders:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise UserError(f"{folder} is a link back to a folder that it lies in; such links cannot be followed")
        for below in folders:
            yield from _images(below, (*above, identity))
