"""The messages from a search to its trials and from a trial to its workers, as JSON; imports no torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ban_ray.specs import Chain, Generation
from ban_ray.tasks.source import Source
from ban_ray.training.execution import ExecutionOptions


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExecutionContext(_Message, ExecutionOptions):
    """What every trial and every worker of one execution of a search shares.

    A field whose name is also one of `SearchOptions` is copied from there.

    Attributes:
        storage: absolute path or URL of the population.
        storage_id: identity of that storage; empty if all nodes are known to see the same one.
        data_source: where the task's samples come from.
        execution_name: unique name of this execution and of its `JobBroker`; failures such as lack of memory are
            remembered only within it.
        command: the command that the user typed, for the records of members.
        teacher_description: how the members that teach generation 0 were chosen, for the records.
        cpus_per_worker: CPUs of each worker, and threads of torch in it.
        teacher_cache: limit in bytes of a teacher's cached outputs on each node; None to compute them in each step.
    """

    storage: str
    storage_id: str = ""
    data_source: Source
    execution_name: str
    command: str = ""
    teacher_description: str = ""
    cpus_per_worker: int = 1
    teacher_cache: int | None = None


class TrialSpec(_Message):
    """One trial of Ray Tune: a chain to be trained.

    Attributes:
        chain_number: number of the chain within the execution.
        name: a readable name for the dashboard.
        ray_folder: folder for Ray's own files, reachable from every node.
        cluster_may_grow: whether an autoscaler may add nodes to the cluster.
    """

    context: ExecutionContext
    chain: Chain
    chain_number: int = 0
    name: str
    ray_folder: str
    gpus_per_worker: float = 0
    cluster_may_grow: bool = True

    @property
    def job_id_prefix(self) -> str:
        """The prefix of the ids of all training jobs of this trial."""
        return f"{self.context.execution_name}-{self.chain_number}-"


class TrainingJob(_Message):
    """A unit of work for a worker group: consecutive generations of one chain.

    Attributes:
        generations: in training order; those that are published by then are reused.
        first_generation_number: number of the first of them within its chain; the baseline is 0.
        job_id: id of the job and holder of its claims; stays the same when the worker group's processes restart.
        expired_claim_numbers: number of the claim that has expired and may be taken over, by the generation's key.
    """

    context: ExecutionContext
    generations: tuple[Generation, ...]
    first_generation_number: int
    chain_seed: int
    job_id: str
    expired_claim_numbers: dict[str, int] = Field(default_factory=dict)


class JobResult(_Message):
    """The end of a job: ``done``, ``claimed_elsewhere`` by another run, ``stopped`` by request or ``failed``.

    Attributes:
        key: the generation that is claimed elsewhere or has failed.
        message: why it failed.
        is_unresponsive: whether a stopped job's workers did not answer the request to stop.
    """

    status: Literal["done", "claimed_elsewhere", "stopped", "failed"]
    key: str = ""
    message: str = ""
    is_unresponsive: bool = False
