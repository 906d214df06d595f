"""A stand-in for training: learning curves from a fixed model, members published as real ones; nothing is trained.

The model, errors in percent of a DenseNet-BC of depth d, growth k, compression c (`final_error`, without noise):

    baseline(d, k, c) = 16 + 1.5 (log2(k / 24))^2 + 1.0 ((d - 64) / 24)^2 + 30 (c - 0.55)^2
                           + 0.8 log2(k / 24) (d - 64) / 24
    generation g      = baseline - A(d) (1 - exp(-g / 1.5)),   A(d) = 0.8 + 1.2 d / 100

so that the best baseline (d near 64) is not the best chain (deeper networks gain more), as stopping has to cope with.
Training noise is normal with the given standard deviation, a function of the generation's seed and network alone.
The curve of a generation over its epochs lies above its final error by 24, 12 and 5 points in the stages before the
learning rate's first, second and third drop, and by 1.5 exp(-5 t) points t of the way through the last stage.

A member's held-out predictions are wrong on the right share of 4,000 samples of two classes; which ones is partly
common to all networks (hard samples) and partly its own, so that ensembles err less.
"""

import os
import random
import time
from dataclasses import dataclass
from math import exp, log2

import numpy as np

from ban_ray.cluster import WorkerResources
from ban_ray.networks import registry
from ban_ray.networks.families.densenet import DenseNetBC
from ban_ray.population import History, Population, Predictions, claims, publish
from ban_ray.runtime.events import EpochEnded, EventHandler, Published, Reused
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.specs import Generation
from ban_ray.storage.opening import find_storage

SAMPLES, TEST_SAMPLES = 4000, 200
STAGES = (24.0, 12.0, 5.0)


def baseline(network: str) -> float:
    """The error of a network on labels, without noise."""
    shape = registry.parse(network)
    assert isinstance(shape, DenseNetBC)
    d, k, c = (shape.depth - 64) / 24, log2(shape.growth / 24), float(shape.compression)
    return 16 + 1.5 * k * k + d * d + 30 * (c - 0.55) ** 2 + 0.8 * k * d


def final_error(network: str, number: int) -> float:
    """The error of a chain's generation after training, without noise."""
    shape = registry.parse(network)
    assert isinstance(shape, DenseNetBC)
    gain = (0.8 + 1.2 * shape.depth / 100) * (1 - exp(-number / 1.5))
    return baseline(network) - gain


def noisy_error(generation: Generation, number: int, noise: float) -> float:
    """`final_error` with the noise of this training; `noise` is its standard deviation in points."""
    chance = random.Random(f"{generation.seed} {generation.network}")
    return min(max(final_error(generation.network, number) + chance.gauss(0, noise), 0.0), 100.0)


def curve(generation: Generation, error: float, noise: float) -> list[float]:
    """Held-out errors after each epoch; the last one is `error`."""
    recipe, chance = generation.recipe, random.Random(f"curve {generation.seed} {generation.network}")
    drops = [part * recipe.epochs for part in recipe.learning_rate_drops]
    errors = []
    for epoch in range(recipe.epochs):
        stage = sum(epoch >= round(drop, 9) for drop in drops)
        if stage < len(drops):
            above = STAGES[min(stage, len(STAGES) - 1)]
        else:
            start = drops[-1] if drops else 0.0
            above = 1.5 * exp(-5 * (epoch + 1 - start) / (recipe.epochs - start))
        errors.append(min(error + above + chance.gauss(0, noise / 2), 100.0))
    return [*errors[:-1], error]


def predictions(generation: Generation, error: float) -> Predictions:
    """Log-probabilities whose held-out error is `error`, to one in `SAMPLES`."""
    hard = np.random.default_rng(0).normal(size=SAMPLES)
    own = np.random.default_rng(int(generation.key[:15], 16)).normal(size=SAMPLES)
    wrong = np.zeros(SAMPLES, dtype=bool)
    wrong[np.argsort(-(hard + 0.3 * own))[: round(error / 100 * SAMPLES)]] = True
    held_out = np.where(wrong[:, None], np.log([[0.3, 0.7]]), np.log([[0.7, 0.3]])).astype(np.float32)
    zeros = np.zeros(SAMPLES, dtype=np.int64)
    return Predictions(held_out, zeros, held_out[:TEST_SAMPLES], zeros[:TEST_SAMPLES])


@dataclass(frozen=True)
class Simulator:
    """A `ban_ray.runtime.trial.JobRunner` that simulates: with claims, events and publication.

    Attributes:
        noise: of a training, points.
        epoch_s: seconds that an epoch takes; 0 reports only the epochs at the rungs.
    """

    noise: float
    epoch_s: float = 0.0

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult:
        population = Population(find_storage(job.context.storage))
        for number, generation in enumerate(job.generations, job.first_generation_number):
            if generation.key in population:
                on_event(Reused(generation=number, key=generation.key))
                continue
            claim = claims.acquire(
                population.storage, generation.key, job.job_id, expired=job.expired_claim_numbers.get(generation.key, 0)
            )
            if claim is None:
                return JobResult(status="claimed_elsewhere", key=generation.key)
            try:
                self.train(population, generation, number, on_event)
                claim.end()
            except BaseException:
                claim.release()
                raise
        return JobResult(status="done")

    def at_rung(self, generation: Generation, number: int) -> EpochEnded:
        """The event of the epoch after which chains are compared."""
        rung = generation.recipe.drop_rung_epoch
        assert rung is not None
        errors = curve(generation, noisy_error(generation, number, self.noise), self.noise)
        return _epoch_ended(generation, number, rung, errors[rung - 1])

    def train(
        self,
        population: Population,
        generation: Generation,
        number: int,
        on_event: EventHandler = lambda _: None,
    ) -> None:
        """Report the epochs of a generation and publish it."""
        error = noisy_error(generation, number, self.noise)
        history = History()
        for epoch, value in enumerate(curve(generation, error, self.noise), 1):
            history.append({"epoch": epoch, "held_out_error": value, "loss": value / 10, "seconds": self.epoch_s})
            time.sleep(self.epoch_s)
            if self.epoch_s or epoch == generation.recipe.drop_rung_epoch:
                on_event(_epoch_ended(generation, number, epoch, value))
        member = publish(
            population,
            generation,
            weights={"simulated": np.zeros(1, np.float32)},
            predictions=predictions(generation, error),
            history=history,
            teachers={key: population[key].weights.sha256 for key in generation.teachers},
            parameters=registry.parse(generation.network).parameters(10, 1),
            provenance={"simulated": True, "seconds": 0.0, "generation_number": number, "process": os.getpid()},
        )
        on_event(
            Published(
                generation=number,
                key=generation.key,
                epochs=generation.recipe.epochs,
                metrics=member.metrics.model_dump(),
            )
        )


def _epoch_ended(generation: Generation, number: int, epoch: int, held_out_error: float) -> EpochEnded:
    recipe = generation.recipe
    return EpochEnded(
        generation=number,
        key=generation.key,
        epochs=recipe.epochs,
        drop_rung_epoch=recipe.drop_rung_epoch,
        metrics={"epoch": epoch, "held_out_error": held_out_error},
    )
