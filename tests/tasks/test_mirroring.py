"""Training images are mirrored as the task's name says, unless a field of it says otherwise."""

import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageArrays, ImageDataset, RawImages
from ban_ray.tasks.image_task import ImageTask
from tests.conftest import CPU
from tests.helpers.image_files import random_pictures

IMAGE_TASKS = sorted(name for name, kind in TASK_TYPES.items() if isinstance(kind, ImageTask))


@pytest.fixture(scope="module")
def dataset(cache: object) -> ImageDataset:
    parts = (random_pictures(count, side=16, seed=count) for count in (40, 20))
    train, test = (ImageArrays(part.images, part.labels) for part in parts)
    return RawImages(train, test, 10).cache()


def loaded(dataset: ImageDataset, name: str, flip: bool | None) -> ImageData:
    return load_images(Task(name=name, fingerprint=dataset.fingerprint, flip=flip), dataset, CPU)


def mirrored_share(data: ImageData, task: Task) -> float:
    """Of the training images that a step takes, how many look to the other side."""
    recipe = Recipe(epochs=1, batch_size=36)
    generation = Generation(
        task=task, network="densenet-bc-10-4", recipe=recipe, objective=Objective(name="label"), seed=1
    )
    (batch,) = data.training_batches(generation, 0, slice(0, 36))
    straight = data.normalise(data.train.images)
    centre = [(image, image.flip(-1)) for image in straight]
    count = 0
    for image in batch.inputs:
        distances = [(_aligned(image, one), _aligned(image, other)) for one, other in centre]
        plain, flipped = (min(column) for column in zip(*distances, strict=True))
        count += flipped < plain
    return count / len(batch.inputs)


def _aligned(image: torch.Tensor, other: torch.Tensor) -> float:
    """The least difference of two images' middles over all crops."""
    middle = image[:, 6:10, 6:10]
    windows = other.unfold(1, 4, 1).unfold(2, 4, 1)
    return float((windows - middle[:, None, None]).abs().sum((0, 3, 4)).min())


@pytest.mark.parametrize("flip", [None, False])
def test_no_image_is_mirrored_where_the_task_says_so(dataset: ImageDataset, flip: bool | None) -> None:
    task = Task(name="cifar10", fingerprint=dataset.fingerprint, flip=flip)
    share = mirrored_share(load_images(task, dataset, CPU), task)
    assert share == 0 if flip is False else 0.2 < share < 0.8


@pytest.mark.parametrize("name", IMAGE_TASKS)
def test_every_task_of_images_takes_both(dataset: ImageDataset, name: str) -> None:
    kind = TASK_TYPES[name]
    assert isinstance(kind, ImageTask)
    usual, other = (Task(name=name, fingerprint=dataset.fingerprint, flip=flip) for flip in (None, not kind.flip))
    assert loaded(dataset, name, None).flip is kind.flip
    assert loaded(dataset, name, not kind.flip).flip is not kind.flip
    for task in (usual, other):
        views = load_images(task, dataset, CPU).views
        assert kind.views(task, dataset, kind.sizes(task, dataset)) == views
    assert kind.augmentation(usual, dataset) != kind.augmentation(other, dataset)
    assert ("no mirroring" in kind.augmentation(usual, dataset)) != kind.flip


@pytest.mark.parametrize("name", IMAGE_TASKS)
def test_what_a_task_does_anyway_is_no_choice(dataset: ImageDataset, name: str) -> None:
    """One setting has one key."""
    kind = TASK_TYPES[name]
    assert isinstance(kind, ImageTask)
    option = "--flip" if kind.flip else "--no-flip"
    with pytest.raises(UserError, match=f"^{option} has no effect: images of task {name} are"):
        kind.sizes(Task(name=name, fingerprint=dataset.fingerprint, flip=kind.flip), dataset)


def test_a_task_of_old_is_recorded_as_before() -> None:
    task = Task(name="cifar10", fingerprint="0" * 64)
    assert "flip" not in task.recorded()
    assert "flip" not in task.to_json()
    assert Task.model_validate({**task.recorded(), "flip": False}).recorded()["flip"] is False


def test_mirroring_does_not_change_the_split(dataset: ImageDataset) -> None:
    usual, other = (loaded(dataset, "cifar10", flip) for flip in (None, False))
    assert torch.equal(usual.held_out.images, other.held_out.images)
    assert not Task(name="a", fingerprint="0" * 64).leaks_from(Task(name="a", fingerprint="0" * 64, flip=False))
