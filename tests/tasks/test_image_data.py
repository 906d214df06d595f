"""Normalisation by the training set's own statistics, and what a training batch is made of."""

import numpy as np
import pytest
import torch

from ban_ray.specs import Task
from ban_ray.tasks.image_data import CropFlip, ImageData, augment, load_images, sample_crop_flip
from ban_ray.tasks.image_dataset import ImageArrays, ImageDataset, RawImages
from tests.conftest import CPU


@pytest.fixture(scope="module")
def colour() -> ImageDataset:
    """Channels with means and spreads far apart, and a test set that has others still."""
    chance = np.random.default_rng(0)
    images = np.stack(
        [chance.integers(low, high, (200, 8, 8)) for low, high in ((0, 256), (200, 210), (3, 40))], axis=-1
    ).astype(np.uint8)
    labels = np.arange(200) % 10
    test = ImageArrays(np.full((20, 8, 8, 3), 255, np.uint8), labels[:20])
    return RawImages(ImageArrays(images, labels), test, 10).cache()


@pytest.mark.parametrize("protocol", ["search", "paper"])
def test_the_training_set_has_mean_0_and_deviation_1(colour: ImageDataset, protocol: str) -> None:
    task = Task(name="cifar10", fingerprint=colour.fingerprint, protocol=protocol)
    data = load_images(task, colour, CPU)
    assert len(data.train) == {"search": 180, "paper": 200}[protocol]
    assert data.in_channels == 3
    pixels = data.normalise(data.train.images).double()
    assert pixels.mean((0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-4)
    assert pixels.std((0, 2, 3), correction=0) == pytest.approx([1, 1, 1], abs=1e-5)
    everything = data.normalise(torch.from_numpy(np.array(colour.train.images))).double()
    if protocol == "search":
        assert abs(everything.std((0, 2, 3), correction=0) - 1).max() > 1e-5, "held-out pixels are not in it"


def test_digits_have_mean_0_and_deviation_1(data: ImageData) -> None:
    pixels = data.normalise(data.train.images).double()
    assert pixels.mean().item() == pytest.approx(0, abs=1e-6)
    assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_normalising_leaves_the_bytes_alone(data: ImageData) -> None:
    before = data.train.images.clone()
    made = data.normalise(data.train.images[:5])
    assert made.shape == (5, 1, 8, 8)
    assert made.dtype == torch.float32
    assert torch.equal(data.train.images, before)


@pytest.mark.parametrize(("name", "pad", "flip"), [("digits", 1, False), ("cifar10", 4, True), ("cifar100", 4, True)])
def test_augmentation_belongs_to_the_task(colour: ImageDataset, name: str, pad: int, flip: bool) -> None:
    data = load_images(Task(name=name, fingerprint=colour.fingerprint), colour, CPU)
    assert (data.pad, data.flip) == (pad, flip)


def test_a_training_batch_is_the_augmented_samples_and_their_labels(colour: ImageDataset) -> None:
    task = Task(name="cifar10", fingerprint=colour.fingerprint, label_noise=0.5)
    data = load_images(task, colour, CPU)
    indices = torch.tensor([3, 150, 3, 17])
    draws = sample_crop_flip(1, 0, 0, 4, data.pad, data.flip)
    images, labels = data.training_batch(indices, draws)
    assert torch.equal(labels, data.train.labels[indices])
    assert torch.equal(images, data.normalise(augment(data.train.images, indices, draws, 4)))
    middle = CropFlip(torch.full((4,), 4), torch.full((4,), 4), torch.zeros(4, dtype=torch.bool))
    assert torch.equal(data.training_batch(indices, middle)[0], data.normalise(data.train.images[indices]))
