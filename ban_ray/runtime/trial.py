"""The trainable of a Tune trial: a chain whose generations are reused, waited for, or trained."""

import secrets
from typing import Any, Protocol

from ban_ray.cluster import WorkerResources
from ban_ray.errors import DamagedMember, UserError
from ban_ray.population import Population, claims, failures
from ban_ray.runtime.events import ChainEnded, EventHandler, Reused, Waiting, event_to_result
from ban_ray.runtime.messages import JobResult, TrainingJob, TrialSpec
from ban_ray.runtime.warm_group import run_job
from ban_ray.storage.identity import mismatch
from ban_ray.storage.opening import find_storage
from ban_ray.storage.retrying import PATIENCE_S

TRIAL_MEMORY_BYTES = 500 * 2**20
"""What the process of a trial reserves: only memory, since a CPU of its own would be missing for its workers."""


class JobRunner(Protocol):
    """Trains a job, as `ban_ray.runtime.warm_group.run_job` does; simulations and tests pass another."""

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult: ...


def run_trial(config: dict[str, Any], runner: JobRunner = run_job) -> None:
    """Run one trial until all generations of its chain are published, one cannot be trained, or it is asked to stop.

    Reports each event of the chain to Ray Tune, `ChainEnded` as the last.

    Args:
        config: the trial's configuration, with a `TrialSpec` as JSON under ``"trial"``.
    """
    from ray import tune

    trial = TrialSpec.model_validate_json(config["trial"])
    result = train_missing_generations(trial, lambda event: tune.report(event_to_result(event)), runner)
    assert result.status != "claimed_elsewhere"
    tune.report(event_to_result(ChainEnded(status=result.status, key=result.key, message=result.message)))


def train_missing_generations(trial: TrialSpec, on_event: EventHandler, runner: JobRunner = run_job) -> JobResult:
    """Train the chain until all generations are published, one cannot be trained, or it is asked to stop."""
    context, generations = trial.context, trial.chain.generations
    try:
        population = Population(find_storage(context.storage, patience_s=PATIENCE_S))
    except UserError as error:
        return JobResult(status="failed", key=generations[0].key, message=str(error))
    if context.storage_id and (storage_mismatch := mismatch(population.storage, context.storage_id)):
        return JobResult(status="failed", key=generations[0].key, message=storage_mismatch)
    resources = WorkerResources(
        generations[0].recipe.workers,
        context.cpus_per_worker,
        trial.gpus_per_worker,
        cluster_may_grow=trial.cluster_may_grow,
    )
    expired_claim_numbers: dict[str, int] = {}
    keys, next_unreported = trial.chain.keys, 0
    while True:
        first = next((number for number, key in enumerate(keys) if key not in population), len(keys))
        for number in range(next_unreported, first):
            try:
                metrics = population[keys[number]].metrics
            except DamagedMember as error:
                return JobResult(status="failed", key=keys[number], message=error.advice)
            on_event(Reused(generation=number, key=keys[number], metrics=metrics.model_dump()))
        if first == len(keys):
            return JobResult(status="done")
        key = keys[first]
        if failure := failures.lookup(population.storage, key, context.execution_name):
            return JobResult(status="failed", key=key, message=failure.sentence)
        job = TrainingJob(
            context=context,
            generations=generations[first:],
            first_generation_number=first,
            chain_seed=trial.chain.seed,
            job_id=f"{trial.job_id_prefix}{secrets.token_hex(4)}",
            expired_claim_numbers=expired_claim_numbers,
        )
        result = runner(job, resources, on_event, name=trial.name, folder=trial.ray_folder)
        if result.status in ("failed", "stopped"):
            return result
        # The workers have already reported every generation up to this one.
        next_unreported = keys.index(result.key) if result.status == "claimed_elsewhere" else len(keys)
        if result.status == "claimed_elsewhere":
            on_event(Waiting(key=result.key))
            expired_claim_numbers[result.key] = _wait_for_generation(population, result.key, context.execution_name)


def _wait_for_generation(population: Population, key: str, execution_name: str) -> int:
    """Wait for a generation that another run is training; no CPU or GPU is held meanwhile.

    Returns:
        The number of its claim if the claim has expired, else 0.
    """

    def is_settled() -> bool:
        return key in population or failures.lookup(population.storage, key, execution_name) is not None

    return claims.wait(population.storage, key, is_settled)
