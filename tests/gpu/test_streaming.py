"""Images that come to a GPU batch by batch, beside those that lie on it."""

from typing import Any

import pytest
import torch

from ban_ray.specs import Task
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.training import train
from ban_ray.training.execution import ExecutionOptions
from ban_ray.training.precision import to_device
from tests.conftest import MakeGeneration
from tests.helpers.training_spies import a_teacher, same_training

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand"),
]

GPU = torch.device("cuda")


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("recipe", [{}, {"micro_batches": 3, "augmentation": "default+mixup"}])
def test_they_train_to_the_same_bits(
    digits: ImageDataset, task: Task, make_generation: MakeGeneration, graph: bool, recipe: dict[str, Any]
) -> None:
    """By single kernels and by a graph, which is captured while threads read ahead."""
    held, streamed = (load_images(task, digits, GPU, held=each) for each in (True, False))
    assert streamed.train.images.numel() == 0
    for one, other in zip(*(data.evaluation_batches(data.test) for data in (held, streamed)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    teacher = to_device(a_teacher(load_images(task, digits, torch.device("cpu")), "densenet-bc-10-6"), GPU)
    generation = make_generation("ban+l", epochs=2, batch_size=30, teachers=("1" * 64,), **recipe)
    options = ExecutionOptions(deterministic=True, cuda_graph=graph)
    one, other = (train(generation, teacher, data, GPU, options=options) for data in (held, streamed))
    assert same_training(one, other)
