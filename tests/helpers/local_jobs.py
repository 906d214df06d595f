"""Chains and jobs that a worker in this process trains."""

from collections.abc import Callable
from typing import Any

from ban_ray.evaluation.predictions import LogProbabilities, TokenOutputs
from ban_ray.population import Member, Population, claims
from ban_ray.runtime.messages import JobResult
from ban_ray.runtime.worker import JobTrainer
from ban_ray.specs import Chain, Generation, Objective, Recipe, Task, born_again
from tests.conftest import CPU
from tests.helpers.jobs import ignore_event, make_job

SMALL = Recipe(epochs=2, batch_size=100)
NETWORK = "densenet-bc-10-4"
BAN = Objective(name="ban")


def make_chain(
    task: Task, *, objective: Objective = BAN, recipe: Recipe = SMALL, seed: int = 0, generations: int = 1
) -> Chain:
    return born_again(task, NETWORK, recipe, objective, seed=seed, generations=generations)


def run_job(
    population: Population, *generations: Generation, report: Callable[..., None] = ignore_event, **fields: Any
) -> JobResult:
    return JobTrainer(CPU, report).train(make_job(population.storage.url, *generations, **fields))


def stored_bytes(population: Population, key: str) -> dict[str, bytes]:
    member = population[key]
    names = (member.weights.name, member.predictions.name)
    return {name: population.storage.read(f"population/{key}/{name}") for name in names}


def images_predictions(population: Population, member: Member) -> tuple[LogProbabilities, LogProbabilities]:
    """Held-out and test log-probabilities (n, classes) of a member whose task has images."""
    predictions = population.predictions(member)
    assert not isinstance(predictions.held_out, TokenOutputs)
    assert not isinstance(predictions.test, TokenOutputs)
    return predictions.held_out, predictions.test


def is_free(population: Population, key: str) -> bool:
    claim = claims.acquire(population.storage, key, "someone else")
    if claim is not None:
        claim.end()
    return claim is not None


def student_of(teacher: Generation, task: Task) -> Generation:
    return Generation(task=task, network=NETWORK, recipe=SMALL, objective=BAN, seed=5, teachers=(teacher.key,))
