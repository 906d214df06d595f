"""Watchers of a training's batches and teachers, and comparisons of trainings."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ban_ray.networks import build
from ban_ray.specs import Generation, derive_seed
from ban_ray.tasks.image_data import CropFlip, ImageData
from ban_ray.training import Teacher, TrainingResult, train
from ban_ray.training.checkpoint import from_bytes, to_bytes
from ban_ray.training.loop import Record, State

CPU = torch.device("cpu")
TIMES = ("seconds", "images_per_second")


@dataclass(frozen=True)
class Batch:
    """One call of `ImageData.training_batch`."""

    data: ImageData
    indices: Tensor
    draws: CropFlip
    images: Tensor
    labels: Tensor

    @property
    def sources(self) -> Tensor:
        """The bytes of the samples before augmentation."""
        return self.data.train.images[self.indices]


def watch_batches(patch: pytest.MonkeyPatch) -> list[Batch]:
    """Every batch that is trained on from now on."""
    seen: list[Batch] = []
    real = ImageData.training_batch

    def spy(self: ImageData, indices: Tensor, draws: CropFlip, *further: Any) -> tuple[Tensor, Tensor]:
        images, labels = real(self, indices, draws, *further)
        seen.append(Batch(self, indices.clone(), draws, images.clone(), labels.clone()))
        return images, labels

    patch.setattr(ImageData, "training_batch", spy)
    return seen


def watch_teachers(patch: pytest.MonkeyPatch) -> list[tuple[Teacher, Tensor, Tensor]]:
    """Every answer of a teacher from now on: itself, what it was shown, what it said."""
    seen: list[tuple[Teacher, Tensor, Tensor]] = []
    real = Teacher.forward

    def spy(self: Teacher, x: Tensor) -> Tensor:
        assert not any(module.training for module in self.modules()), "a teacher in train mode"
        said = real(self, x)
        seen.append((self, x.clone(), said))
        return said

    patch.setattr(Teacher, "forward", spy)
    return seen


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


def without_times(history: list[Record]) -> list[Record]:
    return [{name: value for name, value in record.items() if name not in TIMES} for record in history]


def same_training(one: TrainingResult, other: TrainingResult) -> bool:
    """Weights, predictions and history to the bit, apart from times."""
    return (
        same_bits(one.weights, other.weights)
        and torch.equal(one.held_out, other.held_out)
        and torch.equal(one.test, other.test)
        and without_times(one.history) == without_times(other.history)
    )


def train_with_states(
    generation: Generation,
    data: ImageData,
    teacher: Teacher | None = None,
    initial_weights: dict[str, Tensor] | None = None,
) -> tuple[TrainingResult, list[State]]:
    """The result, and what a resume reads after each epoch."""
    states: list[bytes] = []
    trained = train(
        generation,
        teacher,
        data,
        CPU,
        initial_weights=initial_weights,
        after_epoch=lambda state: states.append(to_bytes(state)),
    )
    return trained, [from_bytes(state) for state in states]


def initial_network(generation: Generation, data: ImageData) -> nn.Module:
    """The network that a generation's training starts from."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(generation.seed, "initialisation"))
        return build(generation.network, data.num_classes, data.in_channels)


def a_teacher(data: ImageData, network: str = "densenet-bc-10-6", seed: int = 3, count: int = 1) -> Teacher:
    """Untrained networks whose batch norms have statistics and parameters of their own."""
    networks = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(count):
            made = build(network, data.num_classes, data.in_channels)
            with torch.no_grad():
                for _ in range(3):
                    made(data.normalise(data.train.images[torch.randint(0, 300, (64,))]))
                for parameter in made.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
            networks.append(made)
    return Teacher(networks)
