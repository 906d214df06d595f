"""Augmentation of whole batches against one image at a time with torch's own padding; where its draws come from."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ban_ray.tasks.image_data import CropFlip, augment, sample_crop_flip

SHAPES = [(8, 8, 1, 1), (28, 28, 1, 2), (32, 32, 3, 4), (7, 5, 2, 3), (5, 9, 4, 4), (4, 4, 3, 0), (2, 2, 1, 1)]


def one_at_a_time(images: Tensor, indices: Tensor, draws: CropFlip, pad: int) -> Tensor:
    """(b, h, w, c), literally: pad by reflection, crop, mirror."""
    _, height, width, _ = images.shape
    made = []
    for place, index in enumerate(indices.tolist()):
        image = images[index].permute(2, 0, 1).float()[None]
        padded = F.pad(image, (pad, pad, pad, pad), mode="reflect") if pad else image
        down, right = int(draws.down[place]), int(draws.right[place])
        crop = padded[0, :, down : down + height, right : right + width]
        assert crop.shape[1:] == (height, width), "an offset beyond the padding"
        made.append((crop.flip(2) if draws.mirror[place] else crop).permute(1, 2, 0).to(torch.uint8))
    return torch.stack(made)


@pytest.mark.parametrize(("height", "width", "channels", "pad"), SHAPES)
@pytest.mark.parametrize("flip", [False, True])
def test_equals_the_literal_form(height: int, width: int, channels: int, pad: int, flip: bool) -> None:
    chance = torch.Generator().manual_seed(height * 100 + pad)
    images = torch.randint(0, 256, (11, height, width, channels), generator=chance, dtype=torch.uint8)
    before = images.clone()
    for step in range(3):
        draws = sample_crop_flip(5, 0, step, 40, pad, flip)
        indices = torch.randint(0, 11, (40,), generator=chance)
        made = augment(images, indices, draws, pad)
        assert made.dtype == torch.uint8
        assert torch.equal(made, one_at_a_time(images, indices, draws, pad))
    assert torch.equal(images, before), "the data set itself is never written to"


def test_every_offset_equals_the_literal_form() -> None:
    pad = 4
    images = torch.arange(2 * 6 * 6, dtype=torch.uint8).reshape(2, 6, 6, 1)
    grid = torch.cartesian_prod(torch.arange(2 * pad + 1), torch.arange(2 * pad + 1), torch.arange(2))
    draws = CropFlip(grid[:, 0], grid[:, 1], grid[:, 2].bool())
    indices = torch.arange(len(grid)) % 2
    assert torch.equal(augment(images, indices, draws, pad), one_at_a_time(images, indices, draws, pad))


def test_another_crop_for_each_image() -> None:
    image = torch.randint(0, 256, (1, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    made = augment(image, torch.zeros(256, dtype=torch.int64), sample_crop_flip(0, 0, 0, 256, 4, True), 4)
    different = {picture.numpy().tobytes() for picture in made}
    # 256 draws of 162 equally likely views hit 128.8 of them on average, with a standard deviation of 4.6.
    assert 105 < len(different) <= 162


def test_draws_cover_all_offsets_and_half_of_the_mirrorings() -> None:
    draws = sample_crop_flip(3, 1, 2, 9000, 4, True)
    for offsets in (draws.down, draws.right):
        counts = torch.bincount(offsets, minlength=9)
        assert len(counts) == 9
        assert ((counts - 1000.0) ** 2 / 1000).sum() < 26.1, "chi-square with 8 degrees of freedom, p = 0.001"
    assert not torch.equal(draws.down, draws.right)
    assert abs(draws.mirror.double().mean() - 0.5) < 0.02
    assert abs((draws.mirror & (draws.down > 4)).double().mean() - 0.5 * 4 / 9) < 0.02, "independent of the crops"
    assert not sample_crop_flip(3, 1, 2, 9000, 4, False).mirror.any()
    assert not sample_crop_flip(3, 1, 2, 9000, 0, True).down.any()


def same(one: CropFlip, other: CropFlip) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("down", "right", "mirror"))


def test_draws_are_a_function_of_seed_epoch_and_step_alone() -> None:
    first = sample_crop_flip(1, 2, 3, 64, 4, True)
    torch.manual_seed(99)
    torch.rand(17)
    sample_crop_flip(1, 2, 4, 64, 4, True)
    state = torch.get_rng_state()
    assert same(first, sample_crop_flip(1, 2, 3, 64, 4, True))
    assert torch.equal(state, torch.get_rng_state()), "nor does drawing disturb anyone else's numbers"
    for seed, epoch, step in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 3, 2), (12, 3, 0)]:
        assert not same(first, sample_crop_flip(seed, epoch, step, 64, 4, True))


def test_a_part_of_the_draws_is_the_same_draws() -> None:
    whole = sample_crop_flip(1, 2, 3, 64, 4, True)
    halves = whole[:32], whole[32:]
    for name in ("down", "right", "mirror"):
        assert torch.equal(torch.cat([getattr(half, name) for half in halves]), getattr(whole, name))
