"""What a member's files hold, read from bytes that anyone may have written."""

import io
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import DamagedMember
from ban_ray.population.member import History

LogProbabilities = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """Log-probabilities (n, classes) and the true labels (n,), clean, of both evaluated parts."""

    held_out: LogProbabilities
    held_out_labels: Labels
    test: LogProbabilities
    test_labels: Labels


def arrays_of(data: bytes, key: str) -> dict[str, NDArray[np.generic]]:
    """The arrays of a safetensors file.

    Raises:
        DamagedMember: it is none, or holds numbers that NumPy does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedMember(f"member {key}: a tensor file cannot be read ({error})") from error


def predictions_of(data: bytes, key: str) -> Predictions:
    """Raises DamagedMember: they are not log-probabilities with a label for each."""
    arrays = arrays_of(data, key)
    names = [field.name for field in fields(Predictions)]
    if sorted(arrays) != sorted(names):
        raise DamagedMember(f"member {key}: the predictions hold {str(sorted(arrays))[:100]}")
    for part in ("held_out", "test"):
        outputs, labels = arrays[part], arrays[f"{part}_labels"]
        fit = outputs.dtype == np.float32 and labels.dtype == np.int64 and outputs.ndim == 2 and labels.ndim == 1
        if not fit or len(outputs) != len(labels):
            raise DamagedMember(
                f"member {key}: the predictions on {part} are {outputs.dtype} {outputs.shape} with labels "
                f"{labels.dtype} {labels.shape}; float32 (n, classes) with int64 (n,) is needed"
            )
        if len(labels) and not (labels.min() >= 0 and labels.max() < outputs.shape[1]):
            raise DamagedMember(f"member {key}: a label on {part} is outside of 0 .. {outputs.shape[1] - 1}")
        if np.isnan(outputs).any():
            raise DamagedMember(f"member {key}: the predictions on {part} are not all numbers")
    return Predictions(**arrays)  # type: ignore[arg-type]


def history_of(data: bytes, key: str) -> History:
    """Raises DamagedMember: it is no Parquet table of numbers."""
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
