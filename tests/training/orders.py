"""Orders for a worker in this process."""

from collections.abc import Callable
from typing import Any

from ban_ray.population import Population, claims
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.worker import train_generations
from ban_ray.specs import Chain, Generation, Objective, Recipe, Task, born_again
from ban_ray.storage.opening import Storage
from ban_ray.tasks.source import Source
from tests.conftest import CPU

SMALL = Recipe(epochs=2, batch_size=100)
NETWORK = "densenet-bc-10-4"
BAN = Objective(name="ban")


def make(
    task: Task, *, objective: Objective = BAN, recipe: Recipe = SMALL, seed: int = 0, generations: int = 1
) -> Chain:
    return born_again(task, NETWORK, recipe, objective, seed=seed, generations=generations)


def order(
    storage: Storage, *generations: Generation, run: str = "run", search: str = "search", **fields: Any
) -> TrainingJob:
    return TrainingJob(
        storage=storage.url,
        source=Source(name="digits"),
        generations=generations,
        first=0,
        chain_seed=0,
        run=run,
        execution=search,
        **fields,
    )


def silent(_: dict[str, Any]) -> None:
    """A report that nobody reads."""


def do(
    population: Population, *generations: Generation, report: Callable[..., None] = silent, **fields: Any
) -> JobResult:
    return train_generations(order(population.storage, *generations, **fields), CPU, report)


def blobs(population: Population, key: str) -> dict[str, bytes]:
    member = population[key]
    names = (member.weights.name, member.predictions.name)
    return {name: population.storage.read(f"population/{key}/{name}") for name in names}


def is_free(population: Population, key: str) -> bool:
    claim = claims.acquire(population.storage, key, "someone else")
    if claim is not None:
        claim.end()
    return claim is not None


def student_of(teacher: Generation, task: Task) -> Generation:
    return Generation(task=task, network=NETWORK, recipe=SMALL, objective=BAN, seed=5, teachers=(teacher.key,))
