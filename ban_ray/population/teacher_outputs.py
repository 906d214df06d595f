"""A member's outputs by view, kept beside it for further students: a cache, so what is damaged is as if missing."""

import hashlib
import re

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import DamagedMember
from ban_ray.population.contents import arrays_of
from ban_ray.population.places import folder
from ban_ray.population.protocol import Storage
from ban_ray.shared_rows import Numbers, Rows

_NAME = r"-([0-9a-f]{64})\.safetensors"


def kept_outputs(key: str) -> str:
    """The folder of what is kept of a teacher."""
    return f"outputs/{folder(key).removeprefix('population/')}"


def save(storage: Storage, key: str, identity: str, numbers: Numbers, rows: Rows) -> None:
    """Replace what is kept under an identity.

    Args:
        key: of the teacher, of several the first.
        identity: of everything that decides the outputs.
        numbers: (n,) of the views, increasing. rows: (n, classes).
    """
    from safetensors.numpy import save as to_bytes

    data = to_bytes({"numbers": numbers, "rows": rows})
    place = kept_outputs(key)
    name = f"{identity}-{hashlib.sha256(data).hexdigest()}.safetensors"
    older = [file for file in _files(storage, place, identity) if file != name]
    storage.write(f"{place}/{name}", data)
    for file in older:
        storage.delete(f"{place}/{file}")


def load(storage: Storage, key: str, identity: str, views: int, classes: int) -> tuple[Numbers, Rows] | None:
    """Numbers (n,) below `views` and their rows (n, classes), None where none are kept or they cannot be read."""
    place = kept_outputs(key)
    for name in _files(storage, place, identity):
        try:
            data = storage.read(f"{place}/{name}")
            arrays = arrays_of(data, key)
        except (FileNotFoundError, DamagedMember):
            continue
        named = re.fullmatch(re.escape(identity) + _NAME, name)
        if named is None or hashlib.sha256(data).hexdigest() != named[1]:
            continue
        numbers, rows = _checked(arrays.get("numbers"), np.int64, 1), _checked(arrays.get("rows"), np.float16, 2)
        if numbers is None or rows is None or rows.shape != (len(numbers), classes):
            continue
        if not len(numbers) or (numbers[0] >= 0 and numbers[-1] < views and bool((np.diff(numbers) > 0).all())):
            return numbers, rows
    return None


def _files(storage: Storage, place: str, identity: str) -> list[str]:
    return [name for name in storage.list(place) if re.fullmatch(re.escape(identity) + _NAME, name)]


def _checked(array: NDArray[np.generic] | None, kind: type, dimensions: int) -> NDArray | None:  # type: ignore[type-arg]
    right = array is not None and array.dtype == kind and array.ndim == dimensions
    return array if right else None
