"""Gradients that are accumulated over parts of a batch are those of the batch."""

import pytest
import torch
from torch import Tensor

from ban_ray.objectives import Loss, LossInputs, LossTerms
from ban_ray.specs import OBJECTIVES, Objective, Recipe
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import Teacher, TrainingResult, train
from ban_ray.training.meters import Meters
from ban_ray.training.optimizer import SGD
from ban_ray.training.step import StepInputs, TrainingStep
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher

PLAIN = "tests.training.own_networks:small"
FIELDS = {"network": PLAIN, "network_version": "1", "epochs": 2, "batch_size": 60, "learning_rate": 0.05}


def trained(
    data: ImageData, make_generation: MakeGeneration, objective: str, teacher: Teacher | None, **fields: object
) -> TrainingResult:
    teachers = () if teacher is None else ("1" * 64,)
    return train(make_generation(objective, teachers=teachers, **FIELDS, **fields), teacher, data, CPU)


@pytest.mark.parametrize("parts", [2, 5, 60])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_batch_in_parts_trains_the_same(
    data: ImageData, make_generation: MakeGeneration, objective: str, parts: int
) -> None:
    """A network without batch norm; gradients are clipped, and all columns of the history agree."""
    needs = Objective(name=objective).needs_teacher
    teacher = a_teacher(data) if needs else None
    whole = trained(data, make_generation, objective, teacher, clip=0.5)
    parted = trained(data, make_generation, objective, teacher, clip=0.5, micro_batches=parts)
    for name, tensor in whole.weights.items():
        torch.testing.assert_close(parted.weights[name], tensor, rtol=1e-4, atol=1e-6)
    for one, other in zip(whole.history, parted.history, strict=True):
        for name, value in one.items():
            if name not in ("seconds", "images_per_second"):
                assert other[name] == (None if value is None else pytest.approx(value, rel=1e-4)), name


def test_cached_outputs_of_a_teacher_are_cut_too(data: ImageData, make_generation: MakeGeneration) -> None:
    teacher = a_teacher(data)
    whole, parted = (
        trained(data, make_generation, "cwtm", teacher, teacher_outputs="cached", micro_batches=parts)
        for parts in (1, 4)
    )
    for name, tensor in whole.weights.items():
        torch.testing.assert_close(parted.weights[name], tensor, rtol=1e-4, atol=1e-6)


def test_only_a_part_is_computed_at_once(data: ImageData, make_generation: MakeGeneration) -> None:
    """Of the student and of the teacher."""
    sizes: list[tuple[str, int]] = []

    class Watched(torch.nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name, self.layer = name, torch.nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            sizes.append((self.name, len(x)))
            return torch.log_softmax(self.layer(x), 1)

    student, teacher, recipe = Watched("student"), Watched("teacher"), Recipe(batch_size=12, micro_batches=3)
    step = TrainingStep(
        student, teacher, Objective(name="cwtm").loss, SGD(student.parameters(), recipe), Meters(CPU), recipe
    )
    step(StepInputs(torch.randn(12, 4), torch.arange(12) % 3), 0.1)
    assert sorted(sizes) == [("student", 4)] * 3 + [("teacher", 4)] * 3


class Balanced(Loss):
    """A label-only loss whose weights sum to 1 over the batch: the class numbers, to be simple."""

    name = "balanced"
    needs_teacher = False

    def __call__(self, inputs: LossInputs) -> LossTerms:
        weights = 1.0 + inputs.labels
        shares = weights / inputs.workers.total(weights.sum())
        losses = torch.nn.functional.cross_entropy(inputs.logits, inputs.labels, reduction="none")
        label = inputs.workers.count * (shares * losses).sum()
        return LossTerms(label, label, None)


def test_a_loss_without_a_teacher_may_sum_over_the_batch() -> None:
    torch.manual_seed(0)
    inputs, labels = torch.randn(12, 4), torch.arange(12) % 3
    made = []
    for parts in (1, 2, 6):
        torch.manual_seed(1)
        network = torch.nn.Linear(4, 3)
        recipe = Recipe(batch_size=12, micro_batches=parts)
        step = TrainingStep(network, None, Balanced(), SGD(network.parameters(), recipe), Meters(CPU), recipe)
        step(StepInputs(inputs, labels), 0.1)
        made.append(network.weight.detach())
    torch.testing.assert_close(made[1], made[0])
    torch.testing.assert_close(made[2], made[0])
