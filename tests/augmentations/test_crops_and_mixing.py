"""Resized crops against torchvision's, erased boxes, and mixed labels in every objective."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional

from ban_ray.augmentations.cutmix import CutMix
from ban_ray.augmentations.erase import RandomErasing
from ban_ray.augmentations.mixup import Mixup
from ban_ray.augmentations.resized_crop import RandomResizedCrop
from ban_ray.objectives import LossInputs, MixedLabels
from ban_ray.specs import OBJECTIVES, Objective
from ban_ray.tasks.batches import Batch
from ban_ray.tasks.image_data import ImageData, mixed
from ban_ray.training import train
from tests.conftest import CPU, MakeGeneration
from tests.helpers.training_spies import a_teacher


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_resized_crop_has_the_pixels_of_torchvision() -> None:
    """Within a byte, since torchvision sums in another order."""
    images = torch.randint(0, 256, (60, 21, 33, 3), dtype=torch.uint8, generator=generator())
    draws = RandomResizedCrop(scale=0.05).draw(generator(1), 60, 21, 33)
    ours = RandomResizedCrop().apply(images, draws)
    boxes = draws["box"].int().tolist()
    assert len({(height, width) for _, _, height, width in boxes}) > 40
    for image, (top, left, height, width), result in zip(images, boxes, ours, strict=True):
        theirs = functional.resized_crop(image.permute(2, 0, 1), top, left, height, width, [21, 33], antialias=False)
        assert (theirs.permute(1, 2, 0).int() - result.int()).abs().max() <= 1
    whole = {"box": torch.tensor([[0.0, 0.0, 21.0, 33.0]], dtype=torch.float64).expand(60, 4)}
    assert torch.equal(RandomResizedCrop().apply(images, whole), images)


def test_crops_and_boxes_lie_within_the_image() -> None:
    crop = RandomResizedCrop(scale=0.08).draw(generator(), 5000, 32, 24)["box"]
    box = RandomErasing(p=1.0).draw(generator(), 5000, 32, 24)["box"]
    for top, left, height, width in (crop.unbind(1), box.unbind(1)):
        assert min(top.min(), left.min()) >= 0
        assert (top + height).max() <= 32 and (left + width).max() <= 24
    area = crop[:, 2] * crop[:, 3] / (32 * 24)
    assert 0.06 < area.min() < 0.12 and area.max() > 0.9
    assert 0.4 < area.mean() < 0.56, "uniform between 0.08 and 1, less what is cut off at the sides"


def test_images_are_erased_by_their_probability() -> None:
    draws = RandomErasing(p=0.25).draw(generator(), 20_000, 32, 32)
    chosen = draws["box"][:, 2] > 0
    assert 0.24 < chosen.double().mean() < 0.26
    image = RandomErasing().apply(torch.ones(20_000, 1, 32, 32), draws)
    assert torch.equal((image == 0).sum((1, 2, 3)), (draws["box"][:, 2] * draws["box"][:, 3]).long())


@pytest.mark.parametrize(("alpha", "deviation"), [(0.2, 0.423), (1.0, 0.289), (5.0, 0.151)])
def test_shares_are_of_a_beta_distribution(alpha: float, deviation: float) -> None:
    """Mean 1/2 and deviation ``1 / (2 sqrt(2 alpha + 1))``."""
    shares = torch.stack([Mixup(alpha).draw(generator(seed), 1, 4, 4)["share"][0] for seed in range(4000)])
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(shares.std()) == pytest.approx(deviation, abs=0.015)


def test_cutmix_boxes_have_their_share() -> None:
    sizes = []
    for seed in range(300):
        draws = CutMix().draw(generator(seed), 2, 32, 32)
        image, share = CutMix().mix(torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32), draws)
        assert float(image.mean()) == pytest.approx(1 - float(share[0]), abs=1e-6)
        sizes.append(float(share[0]))
    assert min(sizes) < 0.3 and max(sizes) > 0.95


def test_the_label_of_the_larger_share_comes_first() -> None:
    batch = Batch(torch.randn(4, 1, 2, 2), torch.tensor([0, 1, 2, 3]))
    draws = {"share": torch.tensor([0.9, 0.2, 0.5, 0.4])}
    made = mixed(batch, Mixup(), draws)
    assert made.labels.tolist() == [0, 2, 2, 0]
    assert made.mixed is not None
    assert made.mixed.others.tolist() == [3, 1, 1, 3]
    assert made.mixed.shares.tolist() == pytest.approx([0.9, 0.8, 0.5, 0.6])


def soft(labels: Tensor, mixed_labels: MixedLabels, classes: int) -> Tensor:
    """(b, C) the mixed one-hot labels."""
    first, second = F.one_hot(labels, classes), F.one_hot(mixed_labels.others, classes)
    return mixed_labels.shares[:, None] * first + (1 - mixed_labels.shares[:, None]) * second


@pytest.mark.parametrize("name", OBJECTIVES)
def test_mixed_labels_reach_every_objective(name: str) -> None:
    """Its loss is that of the mixed one-hot labels, which torch's cross-entropy takes as probabilities."""
    chance = generator()
    logits = torch.randn(12, 5, generator=chance, dtype=torch.float64)
    teacher = torch.randn(12, 5, generator=chance, dtype=torch.float64).log_softmax(1)
    labels, others = torch.randint(5, (2, 12), generator=chance)
    pair = MixedLabels(others, 0.5 + 0.5 * torch.rand(12, generator=chance, dtype=torch.float64))
    draws = torch.rand(12, 5, generator=chance, dtype=torch.float64)
    objective = Objective(name=name)
    loss = objective.loss
    found = loss(LossInputs(logits, labels, teacher, draws, mixed=pair))
    targets = soft(labels, pair, 5)
    losses = F.cross_entropy(logits, targets, reduction="none")
    if found.label is not None and name == "cwtm":
        weights = teacher.exp().max(1).values
        assert float(found.label) == pytest.approx(float((weights / weights.sum() * losses).sum()))
    elif found.label is not None and name == "consensus":
        assert float(found.label) == pytest.approx(float(losses[teacher.argmax(1) == labels].mean()))
    elif found.label is not None:
        assert float(found.label) == pytest.approx(float(losses.mean()))
    else:
        unmixed = loss(LossInputs(logits, labels, teacher, draws))
        assert torch.equal(found.total, unmixed.total), "the teacher alone: it saw the mixed images"


def test_labels_are_smoothed_after_mixing() -> None:
    chance = generator()
    logits, labels = torch.randn(9, 4, generator=chance), torch.randint(4, (9,), generator=chance)
    pair = MixedLabels(labels.flip(0), torch.full((9,), 0.7))
    found = Objective(name="label", label_smoothing=0.2).loss(LossInputs(logits, labels, mixed=pair)).total
    expected = F.cross_entropy(logits, soft(labels, pair, 4), label_smoothing=0.2)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_teacher_and_student_see_the_same_mixed_images(
    data: ImageData, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ban_ray.training import Teacher
    from ban_ray.training.step import StepInputs, TrainingStep

    seen: list[Tensor] = []
    taught: list[Tensor] = []
    forward, step = Teacher.forward, TrainingStep.__call__

    def by_teacher(self: Teacher, x: Tensor) -> Tensor:
        taught.append(x)
        return forward(self, x)

    def by_step(self: TrainingStep, inputs: StepInputs, learning_rate: float | Tensor) -> None:
        seen.append(inputs.inputs)
        assert inputs.shares is not None and inputs.other_labels is not None
        step(self, inputs, learning_rate)

    monkeypatch.setattr(Teacher, "forward", by_teacher)
    monkeypatch.setattr(TrainingStep, "__call__", by_step)
    generation = make_generation("ban+l", augmentation="default,mixup,cutmix", batch_size=50, teachers=("1" * 64,))
    train(generation, a_teacher(data), data, CPU)
    assert len(seen) == len(taught) == 12
    assert all(one is other for one, other in zip(seen, taught, strict=True))


def test_of_two_that_mix_each_batch_gets_one(data: ImageData, make_generation: MakeGeneration) -> None:
    """By turns of chance, as in timm."""
    made = {
        text: list(data.training_batches(make_generation(augmentation=text, batch_size=20), 0, slice(0, 20)))
        for text in ("mixup", "cutmix", "mixup,cutmix")
    }
    both = made["mixup,cutmix"]
    by_mixup = [torch.equal(one.inputs, other.inputs) for one, other in zip(both, made["mixup"], strict=True)]
    by_cutmix = [torch.equal(one.inputs, other.inputs) for one, other in zip(both, made["cutmix"], strict=True)]
    assert all(a or b for a, b in zip(by_mixup, by_cutmix, strict=True))
    assert 2 < sum(by_mixup) < 13
