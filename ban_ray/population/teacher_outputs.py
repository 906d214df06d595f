"""A member's outputs by view, kept beside it for further students: a cache, so what is damaged is as if missing."""

import hashlib
import re

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import DamagedMember
from ban_ray.population.decoding import arrays_of
from ban_ray.population.layout import member_folder
from ban_ray.storage.base import Storage
from ban_ray.training.teacher_cache.shared_memory import Numbers, Rows

_NAME = r"-([0-9]{10,})-([0-9a-f]{64})\.safetensors"


def kept_outputs(key: str) -> str:
    """The folder of what is kept of a teacher."""
    return f"outputs/{member_folder(key).removeprefix('population/')}"


def count(storage: Storage, key: str, identity: str) -> int:
    """Rows that are kept under an identity."""
    return max((number for number, _ in _files(storage, kept_outputs(key), identity)), default=0)


def save(storage: Storage, key: str, identity: str, numbers: Numbers, rows: Rows) -> None:
    """Keep rows in place of fewer under the same identity; where as many are kept, nothing is written.

    Args:
        key: of the teacher, of several the first.
        identity: of everything that decides the outputs.
        numbers: (n,) of the views, increasing. rows: (n, classes).
    """
    from safetensors.numpy import save as to_bytes

    if count(storage, key, identity) >= len(numbers):
        return
    data = to_bytes({"numbers": numbers, "rows": rows})
    place = kept_outputs(key)
    name = f"{identity}-{len(numbers):010d}-{hashlib.sha256(data).hexdigest()}.safetensors"
    smaller = [file for number, file in _files(storage, place, identity) if number < len(numbers)]
    storage.write(f"{place}/{name}", data)
    for file in smaller:
        storage.delete(f"{place}/{file}")


def load(storage: Storage, key: str, identity: str, views: int, classes: int) -> tuple[Numbers, Rows] | None:
    """Numbers (n,) below `views` and their rows (n, classes), None where none are kept.

    What cannot be read is deleted, so that others take its place.
    """
    place = kept_outputs(key)
    for _, name in _files(storage, place, identity):
        path = f"{place}/{name}"
        try:
            data = storage.read(path)
        except FileNotFoundError:
            continue
        if name.endswith(f"-{hashlib.sha256(data).hexdigest()}.safetensors"):
            found = _read(data, key, views, classes)
            if found is not None:
                return found
        storage.delete(path)
    return None


def _read(data: bytes, key: str, views: int, classes: int) -> tuple[Numbers, Rows] | None:
    """None where they are not rows by increasing numbers."""
    try:
        arrays = arrays_of(data, key)
    except DamagedMember:
        return None
    numbers, rows = _checked(arrays.get("numbers"), np.int64, 1), _checked(arrays.get("rows"), np.float16, 2)
    if numbers is None or rows is None or rows.shape != (len(numbers), classes) or not len(numbers):
        return None
    increasing = numbers[0] >= 0 and numbers[-1] < views and bool((np.diff(numbers) > 0).all())
    return (numbers, rows) if increasing else None


def _files(storage: Storage, place: str, identity: str) -> list[tuple[int, str]]:
    """Rows and name of each file of an identity, the most rows first."""
    matches = [re.fullmatch(re.escape(identity) + _NAME, name) for name in storage.list(place)]
    return sorted(((int(match[1]), match[0]) for match in matches if match), reverse=True)


def _checked(array: NDArray[np.generic] | None, kind: type, dimensions: int) -> NDArray | None:  # type: ignore[type-arg]
    right = array is not None and array.dtype == kind and array.ndim == dimensions
    return array if right else None
