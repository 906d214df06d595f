"""The contents of a member's files, read from bytes that anyone may have written."""

import io
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import DamagedMember
from ban_ray.evaluation.predictions import Labels, Outputs, array_names, from_arrays, to_arrays
from ban_ray.population.member import History

_PARTS = ("held_out", "test")


@dataclass(frozen=True)
class Predictions:
    """Outputs and the true labels (n,), clean, of both evaluated parts.

    Attributes:
        held_out, test: log-probabilities (n, classes) of images, `TokenOutputs` of text.
    """

    held_out: Outputs
    held_out_labels: Labels
    test: Outputs
    test_labels: Labels

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays by name, as a file holds them."""
        labels = {"held_out_labels": self.held_out_labels, "test_labels": self.test_labels}
        return {**to_arrays("held_out", self.held_out), **to_arrays("test", self.test), **labels}


def arrays_of(data: bytes, key: str) -> dict[str, NDArray[np.generic]]:
    """The arrays of a safetensors file.

    Raises:
        DamagedMember: the data are no such file, or hold numbers that NumPy does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedMember(f"member {key}: a tensor file cannot be read ({error})") from error


def header_size(head: bytes) -> int:
    """Bytes that the names and shapes at the head of a safetensors file take, by its first eight."""
    return 8 + int.from_bytes(head[:8], "little")


def shapes_of(head: bytes, key: str) -> dict[str, tuple[int, ...]]:
    """Shapes by name, from the first bytes of a safetensors file.

    Raises:
        DamagedMember: they are not the head of such a file.
    """
    try:
        header = json.loads(head[8 : header_size(head)])
        return {name: tuple(map(int, entry["shape"])) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedMember(f"member {key}: the head of its weights cannot be read ({error})") from error


def predictions_of(data: bytes, key: str) -> Predictions:
    """Raises DamagedMember: the data are not log-probabilities with a label for each."""
    arrays = arrays_of(data, key)
    labels = frozenset(f"{part}_labels" for part in _PARTS)
    if arrays.keys() not in [labels.union(*form) for form in zip(*map(array_names, _PARTS), strict=True)]:
        raise DamagedMember(f"member {key}: the predictions hold {str(sorted(arrays))[:100]}")
    try:
        held_out, test = (from_arrays(part, arrays, arrays[f"{part}_labels"]) for part in _PARTS)
    except ValueError as error:
        raise DamagedMember(f"member {key}: {error}") from error
    return Predictions(held_out, arrays["held_out_labels"], test, arrays["test_labels"])  # type: ignore[arg-type]


def history_of(data: bytes, key: str) -> History:
    """Raises DamagedMember: the data are no Parquet table of numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        # Of other types, such as nested lists, no history is made.
        wrong = [field.name for field in table.schema if not _is_number(field.type)]
        records = [] if wrong else table.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedMember(f"member {key}: the history is not a Parquet file") from error
    if wrong:
        raise DamagedMember(f"member {key}: column {wrong[0][:50]!r} of the history holds no numbers")
    return list(records)


def _is_number(kind: object) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind))
