"""Looking members up and reading what they hold; every byte is checked against its digest."""

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import DamagedMember
from ban_ray.population.member import File, History, Member
from ban_ray.population.storage import Storage

_KEY = re.compile(r"[0-9a-f]{64}")

LogProbabilities = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """Log-probabilities (n, classes) and the true labels (n,), clean, of both evaluated parts."""

    held_out: LogProbabilities
    held_out_labels: Labels
    test: LogProbabilities
    test_labels: Labels


class Population:
    """The published generations of a storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def __contains__(self, key: str) -> bool:
        return self.storage.exists(f"{folder(key)}/member.json")

    def get(self, key: str) -> Member | None:
        """The member of a key, None where there is none.

        Raises:
            DamagedMember: its record is not what was published.
        """
        try:
            data = self.storage.read(f"{folder(key)}/member.json")
        except FileNotFoundError:
            return None
        return Member.from_bytes(data, key)

    def __getitem__(self, key: str) -> Member:
        member = self.get(key)
        if member is None:
            raise KeyError(f"no member {key} in {self.storage.url}")
        return member

    def keys(self) -> list[str]:
        """Keys of all published members, sorted."""
        return [name for name in self.storage.list("population") if _KEY.fullmatch(name) and name in self]

    def __iter__(self) -> Iterator[Member]:
        """All members whose records can be read, by key; `verify` tells of the others."""
        for key in self.keys():
            try:
                yield self[key]
            except DamagedMember:
                continue

    def weights(self, member: Member) -> dict[str, NDArray[np.generic]]:
        """Arrays by the network's own names.

        Raises:
            DamagedMember: the file is missing or not what was published.
        """
        return _tensors(self._file(member, member.weights), member.key)

    def predictions(self, member: Member) -> Predictions:
        """Raises DamagedMember: the file is missing or not what was published."""
        tensors = _tensors(self._file(member, member.predictions), member.key)
        try:
            return Predictions(**tensors)  # type: ignore[arg-type]
        except TypeError as error:
            raise DamagedMember(f"member {member.key}: the predictions hold {sorted(tensors)}") from error

    def history(self, member: Member) -> History:
        """Raises DamagedMember: the file is missing or not what was published."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(io.BytesIO(self._file(member, member.history)))
        except pa.ArrowException as error:
            raise DamagedMember(f"member {member.key}: the history is not a Parquet file") from error
        return list(table.to_pylist())

    def _file(self, member: Member, file: File) -> bytes:
        path = f"{folder(member.key)}/{file.name}"
        try:
            data = self.storage.read(path)
        except FileNotFoundError as error:
            raise DamagedMember(f"member {member.key}: {file.name} is missing") from error
        if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
            raise DamagedMember(f"member {member.key}: {file.name} does not match its digest")
        return data


def folder(key: str) -> str:
    """The folder of a key.

    Raises:
        ValueError: it is no key, so that nothing read from a file can name another place.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key; a key is 64 hexadecimal digits")
    return f"population/{key}"


def _tensors(data: bytes, key: str) -> dict[str, NDArray[np.generic]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise DamagedMember(f"member {key}: a tensor file cannot be read ({error})") from error
