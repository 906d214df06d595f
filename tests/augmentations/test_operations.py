"""The operations of TrivialAugment and RandAugment, pixel by pixel against torchvision's, one image at a time there."""

import pytest
import torch
from torchvision.transforms import v2

from ban_ray.augmentations import pixel_operations
from ban_ray.augmentations.pixel_operations import OPERATIONS, UNSIGNED, apply_operations
from ban_ray.augmentations.rand import RandAugment
from ban_ray.augmentations.trivial import TrivialAugment

THEIRS = v2.TrivialAugmentWide()
NAMES = list(THEIRS._AUGMENTATION_SPACE)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("position", range(len(NAMES)), ids=NAMES)
def test_an_operation_has_the_pixels_of_torchvision(position: int, channels: int) -> None:
    name = NAMES[position]
    images = torch.randint(0, 256, (3, channels, 20, 14), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[0] = 7
    make, signed = THEIRS._AUGMENTATION_SPACE[name]
    assert signed == (position not in UNSIGNED)
    made = make(31, 20, 14)
    magnitudes = [0.0] if made is None else [float(value) for value in made]
    for magnitude in [*magnitudes, *(-value for value in magnitudes if signed)]:
        ours = OPERATIONS[position](images, torch.full((3,), magnitude, dtype=torch.float64))
        theirs = [
            THEIRS._apply_image_or_video_transform(image, name, magnitude, THEIRS.interpolation, THEIRS._fill)
            for image in images
        ]
        # The mean of an image that contrast blends with is summed in another order in a batch.
        most = 1 if name == "Contrast" else 0
        assert (ours.int() - torch.stack(theirs).int()).abs().max() <= most, magnitude


def test_each_image_gets_the_operation_chosen_for_it() -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (40, 16, 12, 3), dtype=torch.uint8, generator=generator)
    before = images.clone()
    draws = TrivialAugment().draw(generator, 40, 16, 12)
    changed = apply_operations(images, draws["chosen"], draws["magnitude"])
    assert torch.equal(images, before), "the images of the data set stay"
    assert len(set(draws["chosen"].tolist())) > 8
    for image, chosen, magnitude, result in zip(images, draws["chosen"], draws["magnitude"], changed, strict=True):
        alone = OPERATIONS[int(chosen)](image.permute(2, 0, 1)[None], magnitude[None])
        assert torch.equal(alone[0].permute(1, 2, 0), result)


def test_strengths_are_in_torchvisions_ranges() -> None:
    """Of many draws: every value of TrivialAugment's table, both signs where there is one; of RandAugment one value."""
    draws = TrivialAugment().draw(torch.Generator().manual_seed(0), 20_000, 32, 24)
    single = RandAugment(n=1, m=7).draw(torch.Generator().manual_seed(0), 2_000, 32, 24)
    space = v2.RandAugment()._AUGMENTATION_SPACE
    for position, name in enumerate(NAMES):
        make, signed = THEIRS._AUGMENTATION_SPACE[name]
        made = make(31, 32, 24)
        table = {0.0} if made is None else {float(value) for value in made}
        expected = table | {-value for value in table} if signed else table
        assert {float(value) for value in draws["magnitude"][draws["chosen"] == position]} == expected, name
        other = space[name][0](31, 32, 24)
        strength = 0.0 if other is None else float(other[7])
        found = single["magnitude"][single["chosen"] == position].abs()
        assert float(found.min()) == float(found.max()) == pytest.approx(strength, rel=1e-6), name


def test_operations_are_named_in_torchvisions_order() -> None:
    plain = [operation.__name__.replace("_", "") for operation in OPERATIONS[1:]]
    assert plain == [name.lower() for name in NAMES[1:]]
    assert pixel_operations.OPERATIONS[0](torch.ones(1), torch.zeros(1)).item() == 1
