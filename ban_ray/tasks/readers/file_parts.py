"""The files of a data set by part: training, validation and test, as folders and Parquet files name them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ban_ray.errors import UserError

PART_NAMES = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
"""The names that each part may have, of which a data set uses one."""

_SHARD = re.compile(r"-([0-9]{5})-of-([0-9]{5})(?:-[0-9a-f]+)?\.parquet")


def list_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sub-folders and files, each sorted by name; links are followed.

    Hidden ones, among them ``.DS_Store`` and ``.ipynb_checkpoints``, and ``__MACOSX`` are passed over. A link to
    nothing is a file, since what it should lead to is missed; pipes and the like are neither.

    Raises:
        UserError: the folder cannot be read.
    """
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.is_file() or not Path(entry.path).exists():
                    files.append(Path(entry.path))
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read ({error.strerror})") from error
    return sorted(folders), sorted(files)


def has_classes(part: Path) -> bool:
    """Whether a part of a tree is there, that is, a folder with folders in it."""
    return part.is_dir() and bool(list_folder(part)[0])


def name_of_part(part: str, names: Iterable[str], folder: Path) -> str | None:
    """The one name of a part that is among some names of a folder's contents; None if none is.

    Raises:
        UserError: several of them are.
    """
    present = [name for name in PART_NAMES[part] if name in names]
    if len(present) > 1:
        raise UserError(f"{folder} has {' and '.join(present)}; one {part} part is allowed")
    return present[0] if present else None


def parquet_parts(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The Parquet files of each part, shards in their order; empty where there are none.

    They lie in the folder or in its sub-folder ``data``. A part is ``train.parquet``, or shards
    ``train-00000-of-00002.parquet``, or a folder ``train`` of Parquet files. Shards that are lacking are in it too, so
    that they are missed; so is a training or test part.

    Raises:
        UserError: a folder cannot be read; parts or shards of which one must be chosen.
    """
    for place in (folder, folder / "data"):
        if place.is_dir() and (parts := _parts_in(place)):
            return parts
    return {}


def configuration_parts(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The same of the one sub-folder that has Parquet files, as a configuration on Hugging Face has its own.

    Raises:
        UserError: as `parquet_parts` does, or several sub-folders have some.
    """
    folders = list_folder(folder)[0] if folder.is_dir() else []
    found = {below: parts for below in folders if not _is_part(below.name) and (parts := _parts_in(below))}
    if len(found) > 1:
        names = ", ".join(below.name for below in found)
        raise UserError(f"{folder} holds Parquet files in {names}; --data must name one of these folders")
    return next(iter(found.values()), {})


def _parts_in(place: Path) -> dict[str, tuple[Path, ...]]:
    folders, files = list_folder(place)
    below = {folder.name: _parquet(list_folder(folder)[1]) for folder in folders if _is_part(folder.name)}
    parts = {}
    for part, names in PART_NAMES.items():
        by_name = {name: _files_named(place, name, _parquet(files)) or tuple(below.get(name, ())) for name in names}
        if name := name_of_part(part, [name for name, found in by_name.items() if found], place):
            parts[part] = by_name[name]
    if parts:
        for part in ("train", "test"):
            parts.setdefault(part, (place / f"{part}.parquet",))
    return parts


def _files_named(place: Path, name: str, files: list[Path]) -> tuple[Path, ...]:
    single = place / f"{name}.parquet"
    if single in files:
        return (single,)
    shards = [(match, file) for file in files if (match := _SHARD.fullmatch(file.name.removeprefix(name)))]
    shards = [(match, file) for match, file in shards if file.name.startswith(f"{name}-")]
    counts = sorted({match[2] for match, _ in shards})
    by_number = {match[1]: file for match, file in shards}
    if len(counts) > 1 or len(by_number) < len(shards):
        raise UserError(
            f"{place} has {' and '.join(file.name for _, file in shards[:2])}, which are shards of two sets; one set "
            "is allowed"
        )
    numbers = [f"{number:05d}" for count in counts for number in range(int(count))]
    return tuple(by_number.get(number, place / f"{name}-{number}-of-{counts[0]}.parquet") for number in numbers)


def _is_part(name: str) -> bool:
    return any(name in names for names in PART_NAMES.values())


def _parquet(files: list[Path]) -> list[Path]:
    return [file for file in files if file.suffix == ".parquet"]
