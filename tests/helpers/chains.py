"""Chains of a made-up search, and the events of their training."""

from ban_ray.runtime.events import EpochEnded, Published, Reused
from ban_ray.search.config.spec import PlannedChain
from ban_ray.specs import Objective, Recipe, Task, born_again, sequence

TASK = Task(name="digits", fingerprint="0" * 64)
RECIPE = Recipe(epochs=10, batch_size=50)
NETWORKS = tuple(f"densenet-bc-10-{growth}" for growth in range(4, 20))


def plan_chain(number: int, seed: int = 0, generations: int = 3, teacher: str = "") -> PlannedChain:
    """The chain of configuration ``{"number": number}``; chains of one teacher share their generation 0."""
    networks = [teacher or NETWORKS[number], *[NETWORKS[number]] * generations]
    chain = born_again(TASK, networks, RECIPE, Objective(name="ban+l"), seed=seed, generations=generations)
    return PlannedChain({"number": number}, seed, chain, sequence(chain))


def number_of(planned: PlannedChain) -> int:
    return int(planned.configuration["number"])


def published(planned: PlannedChain, generation: int, error: float | None) -> Published:
    return Published(
        generation=generation, key=planned.chain.keys[generation], epochs=10, metrics={"held_out_error": error}
    )


def epoch_ended(planned: PlannedChain, generation: int, epoch: int, error: float) -> EpochEnded:
    """The event of an epoch; chains are compared after their ninth."""
    return EpochEnded(
        generation=generation,
        key=planned.chain.keys[generation],
        epochs=10,
        drop_rung_epoch=9,
        metrics={"epoch": epoch, "held_out_error": error},
    )


def reused(planned: PlannedChain, generation: int) -> Reused:
    return Reused(generation=generation, key=planned.chain.keys[generation])
