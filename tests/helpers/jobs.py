"""Training jobs and trials without a search, for workers and drivers in this process."""

from collections.abc import Sequence
from typing import Any

import torch

from ban_ray.population import Population
from ban_ray.runtime.events import Event
from ban_ray.runtime.messages import ExecutionContext, TrainingJob, TrialSpec
from ban_ray.runtime.worker import JobTrainer
from ban_ray.specs import Chain, Generation
from ban_ray.tasks.source import Source

DIGITS = Source(name="digits")
CPU = torch.device("cpu")


def make_job(storage: str, *generations: Generation, job_id: str = "run", **fields: Any) -> TrainingJob:
    """The job of training some generations on the embedded task.

    Args:
        storage: path or URL of the population.
        fields: of `ExecutionContext` or of `TrainingJob`, by name.
    """
    own = {name: fields.pop(name) for name in list(fields) if name in TrainingJob.model_fields}
    values = {"first_generation_number": 0, "chain_seed": 0, "job_id": job_id, "generations": generations, **own}
    return TrainingJob.model_validate({"context": make_context(storage, **fields), **values})


def make_trial(
    chain: Chain, storage: str, *, name: str = "t", ray_folder: str = "", number: int = 0, **fields: Any
) -> TrialSpec:
    """The trial of a chain on the embedded task; `fields` are those of `ExecutionContext`."""
    context = make_context(storage, **{"execution_name": "s", **fields})
    return TrialSpec(context=context, chain=chain, chain_number=number, name=name, ray_folder=ray_folder)


def make_context(storage: str, **fields: Any) -> ExecutionContext:
    return ExecutionContext.model_validate(
        {"storage": storage, "data_source": DIGITS, "execution_name": "search", **fields}
    )


def train_job(population: Population, generations: Sequence[Generation], **fields: Any) -> None:
    """Train generations by a worker in this process; `fields` as in `make_job`."""
    result = JobTrainer(CPU, ignore_event).train(make_job(population.storage.url, *generations, **fields))
    assert result.status == "done", result.message


def ignore_event(_: Event) -> None:
    """A report that nobody reads."""
