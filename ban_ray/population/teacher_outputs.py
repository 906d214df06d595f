"""A member's outputs by view, saved beside it for further students; a damaged file counts as missing."""

import hashlib
import re

import numpy as np

from ban_ray.errors import DamagedMember
from ban_ray.population.decoding import arrays_of
from ban_ray.population.layout import output_folder
from ban_ray.storage.base import Storage
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable

FREE_SPACE_FACTOR = 4
"""Outputs are saved if so many times their size is free, since members and checkpoints go first."""


def save(storage: Storage, key: str, identity: str, table: SharedMemoryTable) -> None:
    """Save the rows of a table in place of fewer; nothing is written where as many are saved or little space is free.

    Args:
        key: of the teacher, of several the first.
        identity: a digest of everything that decides the outputs.
    """
    from safetensors.numpy import save as to_bytes

    smaller, free = _files(storage, key, identity), storage.free_bytes()
    if len(table) <= max((rows for rows, _, _ in smaller), default=0):
        return
    if free is not None and free <= FREE_SPACE_FACTOR * table.nbytes:
        return
    numbers, rows = table.items()
    data = to_bytes({"numbers": numbers, "rows": rows})
    name = f"{identity}-{len(numbers):010d}-{hashlib.sha256(data).hexdigest()}.safetensors"
    storage.write(f"{output_folder(key)}/{name}", data)
    for _, path, _ in smaller:
        storage.delete(path)


def load(storage: Storage, key: str, identity: str, table: SharedMemoryTable) -> None:
    """Add saved rows to a table; files that cannot be read are deleted, so that others can replace them."""
    for _, path, sha256 in _files(storage, key, identity):
        try:
            data = storage.read(path)
        except FileNotFoundError:
            continue
        if hashlib.sha256(data).hexdigest() == sha256 and _add(data, key, table):
            return
        storage.delete(path)


def _add(data: bytes, key: str, table: SharedMemoryTable) -> bool:
    """False if the data are not rows by increasing numbers of the table."""
    try:
        arrays = arrays_of(data, key)
        numbers, rows = arrays["numbers"], arrays["rows"]
    except (DamagedMember, KeyError):
        return False
    if numbers.dtype != np.int64 or rows.dtype != np.float16 or numbers.ndim != 1 or not len(numbers):
        return False
    increasing = numbers[0] >= 0 and numbers[-1] < table.numbers and bool((np.diff(numbers) > 0).all())
    if not increasing or rows.shape != (len(numbers), table.width):
        return False
    table.add(numbers.astype(np.int64, copy=False), rows.astype(np.float16, copy=False))
    return True


def _files(storage: Storage, key: str, identity: str) -> list[tuple[int, str, str]]:
    """Number of rows, path and SHA-256 of each file of an identity, the most rows first."""
    folder, name = output_folder(key), re.compile(rf"{identity}-([0-9]{{10,}})-([0-9a-f]{{64}})\.safetensors")
    matches = (name.fullmatch(file) for file in storage.list(folder))
    return sorted(((int(match[1]), f"{folder}/{match[0]}", match[2]) for match in matches if match), reverse=True)
