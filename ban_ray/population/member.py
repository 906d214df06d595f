"""The record of a published generation, and the reading of it from bytes that anyone may have written."""

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ban_ray.errors import DamagedMember
from ban_ray.specs import SEMANTICS_VERSION, Generation, canonical_json, digest

FORMAT_VERSION = 1
MAX_RECORD_BYTES = 1 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
History = list[dict[str, float | int | None]]
"""A record for each epoch: ``epoch`` from 1; ``learning_rate``; ``loss``, ``label_loss``, ``teacher_loss`` (nats,
means over the training views, unweighted parts); ``train_error``, ``teacher_error`` (percent, on training views);
``teacher_confidence`` (mean maximum probability), ``teacher_entropy`` (nats); ``held_out_error`` (percent),
``held_out_log_likelihood`` (nats); ``images_per_second`` of training; ``seconds`` with evaluation."""


class File(BaseModel):
    """A file of a member, named by what it holds; `size` in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^(weights|predictions|history)-[0-9a-f]{64}\.(safetensors|parquet)$")]
    size: Annotated[int, Field(ge=0)]

    @property
    def sha256(self) -> str:
        return self.name.partition("-")[2].partition(".")[0]

    @classmethod
    def of(cls, kind: str, suffix: str, data: bytes) -> Self:
        return cls(name=f"{kind}-{hashlib.sha256(data).hexdigest()}.{suffix}", size=len(data))


class Metrics(BaseModel):
    """Computed from the stored predictions; held-out ones are None under the paper protocol.

    Attributes:
        held_out_error, test_error: percent.
        held_out_log_likelihood, test_log_likelihood: mean log-probability of the true class, nats.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    held_out_error: float | None
    held_out_log_likelihood: float | None
    test_error: float
    test_log_likelihood: float


class Member(BaseModel):
    """A published generation.

    Attributes:
        teachers: digest of the weights that taught it, for each teacher's key.
        parameters: trainable parameters, all counted.
        provenance: versions, hardware, threads, command, seconds; never part of the key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int
    semantics_version: int
    key: Sha256
    generation: Generation
    teachers: dict[Sha256, Sha256]
    parameters: int
    metrics: Metrics
    weights: File
    predictions: File
    history: File
    provenance: dict[str, JsonValue]

    def to_bytes(self) -> bytes:
        """Canonical JSON with the SHA-256 of the same JSON without the field ``sha256``."""
        plain = self.model_dump(mode="json", exclude={"generation"})
        plain["generation"] = self.generation.model_dump(mode="json", exclude_defaults=True)
        return canonical_json({**plain, "sha256": digest(plain)})

    @classmethod
    def from_bytes(cls, data: bytes, key: str) -> Self:
        """Read and check a record.

        Raises:
            DamagedMember: the bytes are not what was published under this key, or are of a format or shape
                that this version does not know.
        """
        plain = _parse(data, key)
        written = plain.pop("sha256", None)
        if plain.get("format_version") != FORMAT_VERSION:
            raise DamagedMember(
                f"member {key}: format version {plain.get('format_version')!r} is not known; "
                f"this version reads {FORMAT_VERSION}"
            )
        if written != digest(plain) or canonical_json({**plain, "sha256": written}) != data:
            raise DamagedMember(f"member {key}: member.json does not match its digest")
        try:
            member = cls.model_validate(plain)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise DamagedMember(f"member {key}: member.json has a bad field {place}: {first['msg']}") from error
        stale = member.semantics_version != SEMANTICS_VERSION
        if member.key != key or not (stale or member.generation.key == key):
            raise DamagedMember(f"member {key}: member.json is the record of another generation")
        return member


def _parse(data: bytes, key: str) -> dict[str, Any]:
    if len(data) > MAX_RECORD_BYTES:
        raise DamagedMember(f"member {key}: member.json has {len(data)} bytes; at most {MAX_RECORD_BYTES} are read")
    try:
        plain = json.loads(data)
        canonical_json(plain)
    except (ValueError, RecursionError) as error:
        raise DamagedMember(f"member {key}: member.json is not canonical JSON") from error
    if not isinstance(plain, dict):
        raise DamagedMember(f"member {key}: member.json holds no record")
    return plain
