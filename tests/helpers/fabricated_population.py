"""Populations with made-up but valid members, for tests that need no training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ban_ray.evaluation.predictions import Outputs
from ban_ray.population import Member, Population, Predictions, publish
from ban_ray.specs import Generation, Objective, Recipe, Task, derive_seed

DIGITS = Task(name="digits", fingerprint="0" * 64, label_noise=0.3)
LABEL = Objective(name="label")
BAN = Objective(name="ban")


def distributions(outputs: Outputs) -> NDArray[np.float64]:
    """The log-probabilities (n, C) of images, which are kept whole."""
    assert isinstance(outputs, np.ndarray)
    return outputs.astype(np.float64)


@dataclass
class Fabricator:
    """Publishes members whose errors fall with the generation by `gain`, on shared test images.

    Attributes:
        gain: by how much an image's margin grows with each generation.
        noise: spread of the margins that each network draws on its own.
    """

    population: Population
    task: Task = DIGITS
    images: int = 200
    held_out: int = 60
    classes: int = 10
    gain: float = 0.5
    noise: float = 1.0
    epochs: int = 4

    def member(
        self,
        seed: int,
        *,
        objective: Objective = LABEL,
        teachers: Sequence[Member] = (),
        number: int = 0,
        network: str = "densenet-bc-16-8",
        parameters: int = 20_000,
        skill: float = 0.0,
        chain_seed: int | None = None,
        epochs: int | None = None,
        provenance: dict[str, object] | None = None,
        task: Task | None = None,
        shared_layers: Literal["none", "copied", "frozen"] = "none",
    ) -> Member:
        """One published member; the better its skill and number, the fewer images it gets wrong."""
        task = task or self.task
        generation = Generation(
            task=task,
            network=network,
            recipe=Recipe(epochs=epochs or self.epochs, batch_size=32),
            objective=objective,
            seed=seed,
            teachers=tuple(teacher.key for teacher in teachers),
            shared_layers=shared_layers,
        )
        strength = skill + self.gain * number
        noted = {
            "seconds": 2.0,
            "device_seconds": 2.0,
            "images_seen": 288 * generation.recipe.epochs,
            "generation_number": number,
            "finished_at": f"2026-01-01T00:00:{number:02d}Z",
            "versions": {"torch": "2.9"},
            "hardware": "a processor",
            "threads": 1,
            "command": ["python", "-m", "ban_ray.search"],
            **({} if chain_seed is None else {"chain_seed": chain_seed}),
            **(provenance or {}),
        }
        return self.publish(generation, strength=strength, parameters=parameters, teachers=teachers, provenance=noted)

    def publish(
        self,
        generation: Generation,
        *,
        strength: float,
        parameters: int = 20_000,
        teachers: Sequence[Member] = (),
        provenance: dict[str, object] | None = None,
    ) -> Member:
        """The member of any generation."""
        held_out = 0 if generation.task.protocol == "paper" else self.held_out
        return publish(
            self.population,
            generation,
            weights={"weight": np.full(3, generation.seed % 1000, dtype=np.float32)},
            predictions=self.predictions(generation.seed, strength, held_out),
            history=self.history(strength, held_out > 0, bool(teachers), generation.recipe.epochs),
            teachers={teacher.key: teacher.weights.sha256 for teacher in teachers},
            parameters=parameters,
            provenance=provenance or {},  # type: ignore[arg-type]
        )

    def chain(self, seed: int, generations: int, *, objective: Objective = BAN, **options: object) -> list[Member]:
        """A baseline and its born-again generations, seeds derived as `ban_ray.specs.born_again` does."""
        members: list[Member] = []
        for number in range(generations + 1):
            members.append(
                self.member(
                    derive_seed(seed, "generation", number),
                    objective=objective if number else LABEL,
                    teachers=members[-1:],
                    number=number,
                    chain_seed=seed,
                    **options,  # type: ignore[arg-type]
                )
            )
        return members

    def predictions(self, seed: int, strength: float, held_out: int) -> Predictions:
        return Predictions(
            *self._part("held-out", held_out, seed, strength), *self._part("test", self.images, seed, strength)
        )

    def _part(self, part: str, count: int, seed: int, strength: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Log-probabilities (n, C) and labels: images share labels, difficulty and a wrong class that tempts."""
        shared = np.random.default_rng(derive_seed(0, part, count, self.classes))
        labels = shared.integers(0, self.classes, count)
        tempting = (labels + shared.integers(1, self.classes, count)) % self.classes
        ease = shared.normal(2.2, 1.8, count)
        own = np.random.default_rng(derive_seed(seed, part))
        logits = 0.3 * own.standard_normal((count, self.classes))
        margin = ease + strength + self.noise * own.standard_normal(count)
        logits[np.arange(count), labels] += 3 + margin / 2
        logits[np.arange(count), tempting] += 3 - margin / 2
        logits -= logits.max(1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return logits.astype(np.float32), labels.astype(np.int64)

    @staticmethod
    def history(strength: float, held_out: bool, taught: bool, epochs: int) -> list[dict[str, float | int | None]]:
        return [
            {
                "epoch": epoch,
                "learning_rate": 0.1,
                "loss": 2.0 / epoch,
                "label_loss": 2.0 / epoch,
                "teacher_loss": 1.0 / epoch if taught else None,
                "train_error": 60.0 / epoch,
                "teacher_error": 5.0 if taught else None,
                "teacher_confidence": 0.9 if taught else None,
                "teacher_entropy": 0.3 if taught else None,
                "held_out_error": 50.0 / epoch - strength if held_out else None,
                "held_out_log_likelihood": -1.5 / epoch if held_out else None,
                "images_per_second": 1000.0,
                "seconds": 0.5,
            }
            for epoch in range(1, epochs + 1)
        ]
