"""What a worker group is told to do and how it ended, as JSON; torch-free, for the drivers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ban_ray.specs import Generation
from ban_ray.tasks.source import Source


class TrainingJob(BaseModel):
    """What a worker group is to do, as JSON.

    Attributes:
        identity: of the storage; empty where every node is known to see the same one.
        generations: in order; members among them are passed over.
        first: number of the first one within its chain, the baseline being 0.
        run: names this worker group's claims; the same after a restart of its processes.
        search: the execution of a search that failures such as lack of memory hold for.
        stale: by key, the number of a claim that was seen standing still.
        threads: of torch, in each process.
        command: what the user typed, for the records.
        teacher_cache_bytes: for the kept outputs of a teacher, on each node.
        recompute: dense units keep fewer activations; no bit changes.
        teacher_told: how the members that teach generation 0 were chosen, for its record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    storage: str
    storage_id: str = ""
    source: Source
    generations: tuple[Generation, ...]
    first: int
    chain_seed: int
    run: str
    execution: str
    expired_claims: dict[str, int] = Field(default_factory=dict)
    threads: int = 1
    command: str = ""
    teacher_description: str = ""
    teacher_cache_bytes: int = 0
    recompute: bool = False


class JobResult(BaseModel):
    """How it ended: ``done``, ``claimed`` by another run, or ``failed`` with a sentence; `key` says where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["done", "claimed", "failed"]
    key: str = ""
    message: str = ""
