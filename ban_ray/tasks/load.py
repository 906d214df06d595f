"""From a source to a decoded data set; decoding happens once a node."""

import json
import os
from pathlib import Path

from ban_ray.tasks import digits, parquet
from ban_ray.tasks.decoded import Decoded, Part, cache_root, keep, load
from ban_ray.tasks.source import Source


def open_source(source: Source, fingerprint: str | None = None) -> Decoded:
    """The data set of a source, from the cache where its files have not changed since.

    Args:
        fingerprint: of the data wanted, where known; then the files need not be looked at.

    Raises:
        UserError: the files are not what the task needs, or differ from `fingerprint`.
    """
    if fingerprint is not None and (cache_root() / fingerprint).is_dir():
        return load(fingerprint)
    note = cache_root() / "sources" / f"{_identity(source)}.json"
    if note.is_file():
        name = json.loads(note.read_text())["fingerprint"]
        if (cache_root() / name).is_dir():
            return load(name)
    decoded = keep(*_read(source))
    note.parent.mkdir(parents=True, exist_ok=True)
    scratch = note.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps({"fingerprint": decoded.fingerprint}))
    scratch.replace(note)
    return decoded


def _files(source: Source) -> list[Path]:
    if source.data is None:
        return [digits.file()]
    return [Path(source.data) / name for name in parquet.FILES]


def _identity(source: Source) -> str:
    """Changes whenever a file's size or time of change does."""
    from ban_ray.specs import digest

    stats = [file.stat() if file.exists() else None for file in _files(source)]
    marks = [(stat.st_size, stat.st_mtime_ns, stat.st_ino) if stat else None for stat in stats]
    return digest([source.to_json(), [str(file) for file in _files(source)], marks])


def _read(source: Source) -> tuple[Part, Part, int]:
    if source.data is None:
        return digits.read()
    return parquet.read(Path(source.data), {"cifar10": 10, "cifar100": 100}[source.name], 32, source.label_column)
