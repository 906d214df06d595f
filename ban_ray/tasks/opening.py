"""From a source to a decoded data set; decoding happens once a node."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from ban_ray.errors import UserError
from ban_ray.tasks.cache import cache_root, cached_meta
from ban_ray.tasks.file_layouts import FileLayout, any_present, first_complete, is_there, missing_files_error
from ban_ray.tasks.image_dataset import ImageDataset, RawImages, load
from ban_ray.tasks.lock import node_lock
from ban_ray.tasks.readers import (
    cifar_parquet,
    cifar_pickle,
    digits,
    fashion_mnist_idx,
    image_folder,
    python_docs,
    text_files,
)
from ban_ray.tasks.source import Source
from ban_ray.tasks.text_dataset import TextDataset, load_text_dataset

DECODING = 1
"""Raised by hand when the same files are decoded to other pixels, so that what was decoded before is not taken."""

_CIFAR_CLASSES = {"cifar10": 10, "cifar100": 100}


def open_source(source: Source, fingerprint: str | None = None) -> ImageDataset | TextDataset:
    """The data set of a source, from the cache where its files have not changed since.

    Args:
        fingerprint: of the data wanted, where known; then the files need not be looked at.

    Raises:
        UserError: the files are not what the task needs, or differ from `fingerprint`; a download failed.
        OSError: the cache cannot be written.
    """
    if fingerprint is not None and (cache_root() / fingerprint).is_dir():
        return _load(fingerprint)
    route = _route(source)
    note = cache_root() / "sources" / f"{_identity(source, route.files)}.json"
    decoded = _noted(note)
    if decoded is None:
        with node_lock(str(note)):
            decoded = _noted(note) or _decode(route, note)
    if fingerprint is not None and decoded.fingerprint != fingerprint:
        raise UserError(
            f"the files of task {source.name} in {source.data or route.files[0]} have fingerprint "
            f"{decoded.fingerprint[:12]}, not {fingerprint[:12]} as when the search was planned; "
            "they have changed, or differ between the nodes"
        )
    return decoded


def _route(source: Source) -> FileLayout:
    """How a source is read; its files are downloaded where that is asked for and none are there."""
    if source.data is None and source.name == "python_docs":
        return FileLayout("Python's own", (python_docs.file(),), lambda: python_docs.read(source.tokens or "word"))
    if source.data is None:
        return FileLayout("scikit-learn's own", (digits.file(),), lambda: RawImages(*digits.read()))
    data = Path(source.data)
    if source.image_size is not None:
        size, tree = source.image_size, image_folder.scan(data)
        return FileLayout("images", tree.files, lambda: image_folder.read(tree, size))
    found = first_complete(routes := _routes(source, data))
    if found is None and source.download and not any_present(routes):
        from ban_ray.tasks.readers.download import download

        with node_lock(f"download {source.name} {data}"):
            if first_complete(_routes(source, data)) is None:
                download(source.name, data)
        found = first_complete(routes := _routes(source, data))
    if found is None:
        raise missing_files_error(routes, data, source.name)
    return found


def _routes(source: Source, data: Path) -> list[FileLayout]:
    """All ways in which the files of a public data set may lie in a folder, the preferred one first."""
    if source.name == "fashion_mnist":
        return [_idx(place) for place in (data / "FashionMNIST" / "raw", data)]
    if source.name == "text":
        return [_text(data, source)]
    if source.name == "ptb":
        files = tuple(data / name for name in text_files.PTB_FILES)
        return [FileLayout(" and ".join(text_files.PTB_FILES), files, lambda: text_files.read_ptb(files))]
    columns = _parquet(data, source)
    return [columns, *(_pickled(place, source) for place in (data / cifar_pickle.FOLDERS[source.name], data))]


def _text(data: Path, source: Source) -> FileLayout:
    files = tuple(data / name for name in text_files.FILES)
    return FileLayout(" and ".join(text_files.FILES), files, lambda: text_files.read(files, source.tokens or "word"))


def _parquet(data: Path, source: Source) -> FileLayout:
    classes = _CIFAR_CLASSES[source.name]
    return FileLayout(
        " and ".join(cifar_parquet.FILES),
        tuple(data / name for name in cifar_parquet.FILES),
        lambda: RawImages(*cifar_parquet.read(data, classes, 32, source.label_column)),
    )


def _pickled(place: Path, source: Source) -> FileLayout:
    train, test = (tuple(place / name for name in names) for names in cifar_pickle.FILES[source.name])
    classes = _CIFAR_CLASSES[source.name]
    return FileLayout(
        f"{', '.join(file.name for file in (*train, *test))} as in torchvision's {cifar_pickle.FOLDERS[source.name]}",
        (*train, *test),
        lambda: RawImages(*cifar_pickle.read(train, test, classes, source.label_column)),
    )


def _idx(place: Path) -> FileLayout:
    packed = ((place / name, place / f"{name}.gz") for name in fashion_mnist_idx.FILES)
    files = tuple(gz if is_there(gz) and not is_there(plain) else plain for plain, gz in packed)
    return FileLayout(
        f"{', '.join(fashion_mnist_idx.FILES)}, with or without .gz, in it or in FashionMNIST/raw",
        files,
        lambda: RawImages(*fashion_mnist_idx.read(files, 10, 28)),
    )


def _identity(source: Source, files: Sequence[Path]) -> str:
    """Changes whenever a file's name, size or time of change does, or another file takes its place."""
    told = source.model_copy(update={"download": False}).to_json()
    total = hashlib.sha256(f"{DECODING} {told}".encode())
    for file in files:
        try:
            status = file.stat()
            mark = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        except OSError:
            # Reading it will tell the reason.
            mark = "unreadable"
        total.update(os.fsencode(file) + f"\0{mark}\0".encode())
    return total.hexdigest()


def _load(name: str) -> ImageDataset | TextDataset:
    return load_text_dataset(name) if "vocabulary" in cached_meta(name) else load(name)


def _noted(note: Path) -> ImageDataset | TextDataset | None:
    """What was decoded from the same files before, if it is still there."""
    if not note.is_file():
        return None
    name = json.loads(note.read_text())["fingerprint"]
    return _load(name) if (cache_root() / name).is_dir() else None


def _decode(route: FileLayout, note: Path) -> ImageDataset | TextDataset:
    decoded = route.read().keep()
    note.parent.mkdir(parents=True, exist_ok=True)
    scratch = note.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps({"fingerprint": decoded.fingerprint}))
    scratch.replace(note)
    return decoded
