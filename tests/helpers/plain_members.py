"""Members without lineage that are made without training, every file another from seed to seed."""

from typing import Any

import numpy as np

from ban_ray.evaluation.predictions import LogProbabilities
from ban_ray.population import Member, Population, Predictions, publish
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.storage.base import Storage

TASK = Task(name="digits", fingerprint="0" * 64)


def a_generation(seed: int = 0) -> Generation:
    return Generation(
        task=TASK, network="densenet-bc-10-4", recipe=Recipe(epochs=3), objective=Objective(name="label"), seed=seed
    )


def predictions(seed: int = 0, held_out: int = 10, test: int = 20) -> Predictions:
    chance = np.random.default_rng(seed)

    def part(count: int) -> LogProbabilities:
        logits = chance.normal(size=(count, 10)) * 3
        outputs: LogProbabilities = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
        return outputs

    return Predictions(
        held_out=part(held_out),
        held_out_labels=chance.integers(0, 10, held_out),
        test=part(test),
        test_labels=chance.integers(0, 10, test),
    )


def contents(seed: int = 0) -> dict[str, Any]:
    """What `publish` is given; every file differs from seed to seed."""
    chance = np.random.default_rng(seed)
    return {
        "weights": {
            "stem.weight": chance.normal(size=(4, 1, 3, 3)).astype(np.float32),
            "steps": np.array([seed], dtype=np.int64),
        },
        "predictions": predictions(seed),
        "history": [
            {"epoch": epoch, "loss": float(chance.random()), "teacher_loss": None, "held_out_error": 12.5}
            for epoch in (1, 2, 3)
        ],
        "teachers": {"a" * 64: "b" * 64},
        "parameters": 36,
        "provenance": {"seconds": 1.5, "who": f"run {seed}", "versions": {"torch": "2.14"}, "cpus": 2, "none": None},
    }


def add(population: Population, generation: Generation | None = None, seed: int = 0, **changes: Any) -> Member:
    return publish(population, generation or a_generation(), **{**contents(seed), **changes})


def files(population: Population, key: str) -> list[str]:
    return population.storage.list(f"population/{key}")


def overwrite(storage: Storage, key: str, name: str, data: bytes) -> None:
    storage.write(f"population/{key}/{name}", data)
