"""The specification of a trial and of its worker group's job, as JSON; torch-free, for the drivers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ban_ray.specs import Chain, Generation
from ban_ray.tasks.source import Source


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunContext(_Message):
    """What every trial and every worker of one execution of a search shares.

    A field that `SearchOptions` has too is copied from there.

    Attributes:
        storage: absolute path or URL of the population.
        storage_id: identity of that storage; empty where every node is known to see the same one.
        source: where the task's samples come from.
        execution: name of this execution, which failures such as lack of memory hold for.
        command: what the user typed, for the records.
        teacher_description: how the members that teach generation 0 were chosen, for the records.
        cpus_per_worker: CPUs of each worker, and threads of torch in it.
        teacher_cache: bytes for the cached outputs of a teacher on each node; None to compute them online.
        recompute: whether dense units recompute activations in the backward pass; no bit changes.
    """

    storage: str
    storage_id: str = ""
    source: Source
    execution: str
    command: str = ""
    teacher_description: str = ""
    cpus_per_worker: int = 1
    teacher_cache: int | None = None
    recompute: bool = False


class TrialSpec(_Message):
    """One trial of Ray Tune: a chain to be trained.

    Attributes:
        chain_number: number of the chain within the execution.
        name: readable, for the dashboard.
        ray_folder: for Ray's own files, reachable from every node.
        may_grow: whether an autoscaler may add nodes to the cluster.
    """

    context: RunContext
    chain: Chain
    chain_number: int = 0
    name: str
    ray_folder: str
    gpus_per_worker: float = 0
    may_grow: bool = True

    @property
    def run_prefix(self) -> str:
        """The prefix of the names of all worker groups of this trial."""
        return f"{self.context.execution}-{self.chain_number}-"


class TrainingJob(_Message):
    """What a worker group trains at a time: generations of a chain, in order.

    Attributes:
        generations: in order; members among them are reused.
        first: number of the first one within its chain, the baseline being 0.
        run: names the job and its claims; the same after a restart of the worker group's processes.
        expired_claims: by key, the number of a claim that was not renewed for long.
    """

    context: RunContext
    generations: tuple[Generation, ...]
    first: int
    chain_seed: int
    run: str
    expired_claims: dict[str, int] = Field(default_factory=dict)


class JobResult(_Message):
    """The end of a job: ``done``, ``claimed`` by another run, ``stopped`` by request or ``failed``; `key` names the
    generation."""

    status: Literal["done", "claimed", "stopped", "failed"]
    key: str = ""
    message: str = ""
