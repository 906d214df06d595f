"""Opening a source: its files are found, downloaded if wished, and decoded once a node."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ban_ray.errors import UserError
from ban_ray.tasks.cache import cache_root, node_lock
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.source import Source, shown_option
from ban_ray.tasks.task_type import DataSet, FileLayout


def open_source(source: Source, fingerprint: str | None = None) -> DataSet:
    """The data set of a source, from the cache where its files have not changed since.

    Args:
        fingerprint: of the data that is needed; where it is in the cache, the files are not looked at.

    Raises:
        UserError: the files are not what the task needs, or differ from `fingerprint`; a download failed.
        OSError: the cache cannot be written.
    """
    load: Callable[[str], DataSet] = TASK_TYPES[source.name].load
    if fingerprint is not None and (cache_root() / fingerprint).is_dir():
        return load(fingerprint)
    layout = _layout(source)
    record = cache_root() / "sources" / f"{_identity(source, layout.files, layout.decoding)}.json"
    found = _cached(record)
    if found is None:
        with node_lock(str(record)):
            found = _cached(record) or _decode(layout, record)
    decoded, skipped = found
    if fingerprint is not None and decoded != fingerprint:
        raise UserError(
            f"the files of task {source.name} in {source.data or layout.files[0]} have fingerprint "
            f"{decoded[:12]}, not {fingerprint[:12]} as when the search was planned; "
            "they have changed, or differ between the nodes"
        )
    # The same samples may also lie in files of which none is bad, so what was skipped is not known by the fingerprint.
    return replace(cast(Any, load(decoded)), skipped=skipped) if skipped else load(decoded)


def _layout(source: Source) -> FileLayout:
    """The first layout whose files all exist; they are downloaded where that is asked for and none exists."""
    task_type, data = TASK_TYPES[source.name], Path(source.data or "")

    def complete() -> FileLayout | None:
        return next((layout for layout in layouts if not layout.missing()), None)

    layouts = task_type.layouts(source)
    layout = complete()
    if layout is None and source.download and all(layout.missing() == [*layout.files] for layout in layouts):
        from ban_ray.tasks.readers.download import download

        with node_lock(f"download {source.name} {data}"):
            layouts = task_type.layouts(source)
            if complete() is None:
                download(task_type, data)
        layouts = task_type.layouts(source)
        layout = complete()
    if layout is None:
        raise _missing_files(layouts, data, source.name)
    for field in sorted(task_type.options - (task_type.options if layout.options is None else layout.options)):
        if value := getattr(source, field):
            raise UserError(f"{shown_option(field, value)} has no effect: {data} has {layout.description}")
    return layout


def _missing_files(layouts: Sequence[FileLayout], folder: Path, task: str) -> UserError:
    """What a folder lacks of the layout it has files of, or all that it might have held."""
    for layout in layouts:
        if len(missing := layout.missing()) < len(layout.files):
            return UserError(f"{missing[0]} is missing; task {task} needs {layout.description}")
    descriptions = list(dict.fromkeys(layout.description for layout in layouts))
    return UserError(f"--data {str(folder)!r} holds no files of task {task}, which needs {'; or '.join(descriptions)}")


def _identity(source: Source, files: Sequence[Path], decoding: int = 1) -> str:
    """A hash that changes with a file's name, size, time of change or inode, and with the decoder's version."""
    options = source.model_copy(update={"download": False}).to_json()
    total = hashlib.sha256(f"{decoding} {options}".encode())
    for file in files:
        try:
            status = file.stat()
            mark = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        except OSError:
            # The reason is reported when it is read.
            mark = "unreadable"
        total.update(os.fsencode(file) + f"\0{mark}\0".encode())
    return total.hexdigest()


def _cached(record: Path) -> tuple[str, int] | None:
    """Fingerprint of what was decoded from the same files before, and how many were skipped, if it is in the cache."""
    if not record.is_file():
        return None
    values = json.loads(record.read_text())
    fingerprint = str(values["fingerprint"])
    return (fingerprint, int(values.get("skipped", 0))) if (cache_root() / fingerprint).is_dir() else None


def _decode(layout: FileLayout, record: Path) -> tuple[str, int]:
    dataset = layout.read().cache()
    record.parent.mkdir(parents=True, exist_ok=True)
    scratch = record.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps({"fingerprint": dataset.fingerprint, "skipped": dataset.skipped}))
    scratch.replace(record)
    return dataset.fingerprint, dataset.skipped
