"""The record of a published generation, written and read as checksummed JSON."""

import hashlib
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializeAsAny, ValidationError, model_validator

from ban_ray.errors import DamagedMember
from ban_ray.population.checksummed_json import ChecksumMismatch, open_sealed, seal
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.layout import RECORD
from ban_ray.specs import SEMANTICS_VERSION, Generation, digest
from ban_ray.specs.base import Sha256

_FILE_NAME = r"^((weights|predictions)-[0-9a-f]{64}\.safetensors|history-[0-9a-f]{64}\.parquet)$"
History = list[dict[str, float | int | None]]
"""A record for each epoch: ``epoch`` from 1; ``learning_rate``; ``loss``, ``label_loss``, ``teacher_loss`` (nats,
means over the training views, unweighted parts); ``train_error``, ``teacher_error`` (percent, on training views);
``teacher_confidence`` (mean maximum probability), ``teacher_entropy`` (nats); ``held_out_error`` (percent),
``held_out_log_likelihood`` (nats); ``images_per_second`` of training (of text tokens); ``seconds`` with
evaluation; with cached teacher outputs ``teacher_outputs_found``, the hit rate of rank 0's cache."""


class File(BaseModel):
    """A file of a member, named by what it holds; `size` in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=_FILE_NAME)]
    size: Annotated[int, Field(ge=0, lt=1 << 53)]

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    @property
    def sha256(self) -> str:
        return self.name.partition("-")[2].partition(".")[0]

    @classmethod
    def of(cls, kind: str, data: bytes) -> Self:
        suffix = "parquet" if kind == "history" else "safetensors"
        return cls(name=f"{kind}-{hashlib.sha256(data).hexdigest()}.{suffix}", size=len(data))


class MemberMetrics(BaseModel):
    """Metrics of the stored predictions; held-out ones are None under the paper protocol.

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
    semantics_version: Annotated[int, Field(ge=1)]
    key: Sha256
    generation: Annotated[SerializeAsAny[Generation | ImportedGeneration], Field(union_mode="left_to_right")]
    teachers: dict[Sha256, Sha256]
    parameters: Annotated[int, Field(ge=0, lt=1 << 53)]
    metrics: MemberMetrics
    weights: File
    predictions: File
    history: File
    provenance: dict[str, JsonValue]

    @model_validator(mode="after")
    def _files_are_in_their_places(self) -> Self:
        for kind in ("weights", "predictions", "history"):
            if getattr(self, kind).kind != kind:
                raise ValueError(f"{getattr(self, kind).name} is not a file of {kind}")
        if isinstance(self.generation, ImportedGeneration) and self.generation.imported.weights != self.weights.sha256:
            raise ValueError("the weights are not the imported ones")
        return self

    @property
    def files(self) -> tuple[File, File, File]:
        return self.weights, self.predictions, self.history

    @property
    def objective(self) -> str:
        """The objective of its training, as it is typed; ``imported`` where that is not known."""
        return "imported" if isinstance(self.generation, ImportedGeneration) else str(self.generation.objective)

    @property
    def protocol(self) -> str:
        """The protocol that it was trained under; ``unknown`` of an imported network whose split was not declared."""
        spec = self.generation
        declared = not isinstance(spec, ImportedGeneration) or spec.imported.split_declared
        return spec.task.protocol if declared else "unknown"

    @property
    def split(self) -> str:
        """The protocol and, where it is known, the seed of the split, such as ``protocol search, split seed 0``."""
        seed = "" if self.protocol == "unknown" else f", split seed {self.generation.task.split_seed}"
        return f"protocol {self.protocol}{seed}"

    def to_bytes(self) -> bytes:
        """Canonical JSON with the SHA-256 of the same JSON without the field ``sha256``."""
        plain = self.model_dump(mode="json", exclude={"generation"})
        plain["generation"] = self.generation.model_dump(mode="json", exclude_defaults=True)
        return seal(plain)

    @classmethod
    def from_bytes(cls, data: bytes, key: str) -> Self:
        """Read and check a record.

        Raises:
            DamagedMember: the bytes are not what was published under this key, or are of a format or shape
                that this version does not know.
        """
        try:
            member = cls.model_validate_json(open_sealed(data), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))[:100]
            raise DamagedMember(f"member {key}: {RECORD} has a bad field {field}: {first['msg'][:300]}") from error
        except ChecksumMismatch as error:
            raise DamagedMember(f"member {key}: {RECORD} {error}") from error
        if member.key != key or member._computed_key() != key:
            raise DamagedMember(f"member {key}: {RECORD} is the record of another generation")
        return member

    def _computed_key(self) -> str:
        if self.semantics_version == SEMANTICS_VERSION:
            return self.generation.key
        # A field that is younger than the record is at its default, which leaves it out.
        spec = self.generation.model_dump(exclude_defaults=True)
        return digest({"semantics_version": self.semantics_version, **spec})
