"""One trial: a chain whose members are taken, waited for, or trained."""

import secrets
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from ban_ray.cluster import WorkerGroup
from ban_ray.errors import DamagedMember, UserError
from ban_ray.population import Population, claims, failures
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.train_run import run_job
from ban_ray.specs import Chain
from ban_ray.storage.identity import mismatch
from ban_ray.storage.opening import PATIENCE_S, find_storage
from ban_ray.tasks.source import Source

DRIVER_MEMORY_BYTES = 500 * 2**20
"""What a trial's driver reserves: memory alone, since a CPU of its own would starve its workers."""


class TrialSpec(BaseModel):
    """What one trial is to do, as JSON.

    Attributes:
        storage: absolute path or URL of the population.
        identity: of that storage; empty where every node is known to see the same one.
        folder: for Ray's own files.
        search: this execution of the search command.
        number: of the chain within it.
        title: readable, for the dashboard.
        teacher_told: how the members that teach generation 0 were chosen.
        teacher_cache_bytes: for the kept outputs of a teacher, on each node.
        recompute: dense units keep fewer activations; no bit changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain: Chain
    source: Source
    storage: str
    storage_id: str = ""
    folder: str
    execution: str
    chain_number: int = 0
    title: str
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0
    command: str = ""
    teacher_description: str = ""
    teacher_cache_bytes: int = 0
    recompute: bool = False

    @property
    def run_prefix(self) -> str:
        """What the names of all worker groups of this trial begin with."""
        return f"{self.execution}-{self.chain_number}-"


class TrainFunction(Protocol):
    """How an order is carried out: `ban_ray.runtime.train_run.run`, or what stands in for it."""

    def __call__(
        self, job: TrainingJob, group: WorkerGroup, report: Callable[[dict[str, Any]], None], *, name: str, folder: str
    ) -> JobResult: ...


def run_trial(config: dict[str, Any], run: TrainFunction = run_job) -> None:
    """The function of a Tune trial: ends when every generation is published or one cannot be.

    Reports ``{"generation": ..., ...}`` for each epoch and publication and, with ``"taken": True`` and its metrics, for
    each member that was there, ``{"waiting_for": key}`` where another run trains what this chain needs, and at last
    ``{"ended": status}`` with the ``key`` and a ``sentence`` where the chain failed.
    """
    from ray import tune

    trial = TrialSpec.model_validate_json(config["trial"])
    outcome = train_missing_generations(trial, tune.report, run)
    tune.report({"ended": outcome.status, "key": outcome.key, "sentence": outcome.message})


def train_missing_generations(
    trial: TrialSpec, report: Callable[[dict[str, Any]], None], run: TrainFunction = run_job
) -> JobResult:
    """Walk the chain until nothing is missing, or one generation cannot be trained."""
    generations = trial.chain.generations
    try:
        population = Population(find_storage(trial.storage, patience_s=PATIENCE_S))
    except UserError as error:
        return JobResult(status="failed", key=generations[0].key, message=str(error))
    if trial.storage_id and (storage_mismatch := mismatch(population.storage, trial.storage_id)):
        return JobResult(status="failed", key=generations[0].key, message=storage_mismatch)
    group = WorkerGroup(generations[0].recipe.workers, trial.cpus_per_worker, trial.gpus_per_worker)
    expired_claims: dict[str, int] = {}
    keys, next_unreported = trial.chain.keys, 0
    while True:
        first = next((k for k, key in enumerate(keys) if key not in population), len(keys))
        for k in range(next_unreported, first):
            try:
                metrics = population[keys[k]].metrics
            except DamagedMember as error:
                return JobResult(status="failed", key=keys[k], message=error.advice)
            report({"generation": k, "key": keys[k], "taken": True, **metrics.model_dump()})
        if first == len(keys):
            return JobResult(status="done")
        key = keys[first]
        if failure := failures.lookup(population.storage, key, trial.execution):
            return JobResult(status="failed", key=key, message=failure.sentence)
        order = TrainingJob(
            storage=trial.storage,
            storage_id=trial.storage_id,
            source=trial.source,
            generations=generations[first:],
            first=first,
            chain_seed=trial.chain.seed,
            run=f"{trial.run_prefix}{secrets.token_hex(4)}",
            execution=trial.execution,
            expired_claims=expired_claims,
            threads=trial.cpus_per_worker,
            command=trial.command,
            teacher_description=trial.teacher_description,
            teacher_cache_bytes=trial.teacher_cache_bytes,
            recompute=trial.recompute,
        )
        outcome = run(order, group, report, name=f"{trial.title}-{order.run[-8:]}", folder=trial.folder)
        if outcome.status == "failed":
            return outcome
        # The worker group has told of everything up to where it ended.
        next_unreported = keys.index(outcome.key) if outcome.status == "claimed" else len(keys)
        if outcome.status == "claimed":
            report({"waiting_for": outcome.key})
            expired_claims[outcome.key] = _wait_for_generation(population, outcome.key, trial.execution)


def _wait_for_generation(population: Population, key: str, search: str) -> int:
    """Wait without CPU or GPU for another run's generation; the number of its claim if that stood still."""

    def settled() -> bool:
        return key in population or failures.lookup(population.storage, key, search) is not None

    return claims.wait(population.storage, key, settled)
