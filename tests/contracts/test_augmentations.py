"""The contract of every registered augmentation, checked also for an example that one more file adds."""

import sys
from collections.abc import Iterator

import pytest
import torch

from ban_ray import augmentations
from ban_ray.augmentations import (
    AUGMENTATIONS,
    Augmentation,
    Draws,
    ImageAugmentation,
    MixingAugmentation,
    PixelAugmentation,
)
from ban_ray.specs import derive_seed
from ban_ray.tasks.image_data import ImageData
from ban_ray.training import train
from ban_ray.training.checkpoint import from_bytes, to_bytes
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher, same_bits, same_training, train_with_states

EXAMPLE = '''
"""``dim``: some images at half their brightness."""

from dataclasses import dataclass

from ban_ray.augmentations import PixelAugmentation, register


@register
@dataclass(frozen=True)
class Dim(PixelAugmentation):
    """With probability `p`, half the bytes."""

    name = "dim"
    ranges = {"p": (0, 1)}

    p: float = 0.5

    def draw(self, generator, batch, height, width):
        import torch

        return {"dimmed": torch.rand(batch, generator=generator) < self.p}

    def apply(self, images, draws):
        return (images // 2).where(draws["dimmed"][:, None, None, None], images)
'''
NAMES = (*sorted(AUGMENTATIONS), "dim")
SHAPES = [(32, 32, 3), (8, 8, 1), (9, 13, 3)]


@pytest.fixture(scope="module", autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("augmentations")
    (folder / "dim_example.py").write_text(EXAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentations, "__path__", [*augmentations.__path__, str(folder)])
        augmentations.import_all()
        yield
    AUGMENTATIONS.pop("dim")
    sys.modules.pop("ban_ray.augmentations.dim_example")


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_a_function_of_the_generator(name: str) -> None:
    augmentation = Augmentation.parse(name)
    one, again, other = (augmentation.draw(generator(seed), 24, 32, 28) for seed in (3, 3, 4))
    assert one.keys() == again.keys() and all(len(values) == 24 for values in one.values())
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_images_keep_their_shape_and_the_data_set_its_bytes(name: str, shape: tuple[int, int, int]) -> None:
    """A batch's images are changed one by one, so that a worker's part is that of the whole."""
    augmentation = Augmentation.parse(name)
    pixels = torch.randint(0, 256, (24, *shape), dtype=torch.uint8, generator=generator())
    normalised = torch.randn(24, shape[2], *shape[:2], generator=generator())
    draws = augmentation.draw(generator(), 24, *shape[:2])
    part = {key: values[8:16] for key, values in draws.items()}
    if isinstance(augmentation, PixelAugmentation):
        before = pixels.clone()
        changed = augmentation.apply(pixels, draws)
        assert torch.equal(pixels, before)
        assert changed.dtype == torch.uint8 and changed.shape == pixels.shape and not torch.equal(changed, pixels)
        assert torch.equal(augmentation.apply(pixels[8:16], part), changed[8:16])
    elif isinstance(augmentation, ImageAugmentation):
        before = normalised.clone()
        image = augmentation.apply(normalised, draws)
        assert torch.equal(normalised, before)
        assert image.shape == normalised.shape and not torch.equal(image, normalised)
        assert torch.equal(augmentation.apply(normalised[8:16], part), image[8:16])
    else:
        assert isinstance(augmentation, MixingAugmentation)
        others = normalised.flip(0)
        image, share = augmentation.mix(normalised, others, draws)
        assert image.shape == normalised.shape and share.shape == (24,) and bool(((share >= 0) & (share <= 1)).all())
        # What both images have in common stays, by shares that are those of the pixels.
        weights, _ = augmentation.mix(torch.ones_like(normalised), torch.zeros_like(normalised), draws)
        assert torch.allclose(weights.mean((1, 2, 3)), share, atol=1e-6)
        assert torch.allclose(image, weights * normalised + (1 - weights) * others, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_training_with_it_is_resumed_to_the_same_bits(
    data: ImageData, make_generation: MakeGeneration, name: str
) -> None:
    fields = {"epochs": 3, "batch_size": 100, "teachers": ("1" * 64,)}
    teacher = a_teacher(data)
    generation = make_generation("ban+l", augmentation=f"default,{name}", **fields)
    whole, states = train_with_states(generation, data, teacher)
    for state in states[:2]:
        assert same_training(train(generation, teacher, data, CPU, state=from_bytes(to_bytes(state))), whole)
    plain, _ = train_with_states(make_generation("ban+l", **fields), data, teacher)
    assert not same_bits(plain.weights, whole.weights)


@pytest.mark.parametrize("name", NAMES)
def test_its_random_numbers_follow_the_augmentation_seed_alone(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Those of each step are another function of that seed, the epoch and the step."""
    kind, seeds = AUGMENTATIONS[name], {}
    draw = kind.draw
    drawn_from: list[int] = []

    def spy(self: Augmentation, generator: torch.Generator, *size: int) -> Draws:
        drawn_from.append(generator.initial_seed())
        return draw(self, generator, *size)

    monkeypatch.setattr(kind, "draw", spy)
    for seed, augmentation_seed in ((1, 7), (2, 7), (1, 8)):
        generation = make_generation(augmentation=name, batch_size=100, seed=seed, augmentation_seed=augmentation_seed)
        drawn_from.clear()
        for epoch in range(2):
            assert len(list(data.training_batches(generation, epoch, slice(0, 100)))) == 3
        seeds[seed, augmentation_seed] = list(drawn_from)
    assert seeds[1, 7] == [
        derive_seed(7, f"augmentation {name}", epoch, step) for epoch in (0, 1) for step in (0, 1, 2)
    ]
    assert seeds[2, 7] == seeds[1, 7]
    assert not set(seeds[1, 8]) & set(seeds[1, 7])
