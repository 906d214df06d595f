"""The split and the label noise: functions of the data and `split_seed`, of nothing else."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.splits import Split, split
from ban_ray.tasks.types.cifar import SUPERCLASSES
from tests.conftest import CPU

LABELS = np.arange(400) % 10
MANY = 10**9
"""So many classes that a replaced label is never the old one by chance."""
DIGITS_FINGERPRINT = "b56b9369ea3d6a838bd074ca09bce53ebecef709d285fca0e3a8ccf657701a35"
DIGITS_SPLIT = "684bd70e08600d4a103366f00b1616135dfa786a35629177d4af91e5afe2368c"
"""Of the indices and labels with a noise of 0.3."""


def of(labels: NDArray[np.int64] = LABELS, classes: int = 10, **fields: Any) -> Split:
    plain = {"name": "digits", "fingerprint": "0" * 64, **fields}
    return split(Task.model_validate(plain), labels, classes)


def same(one: Split, other: Split) -> bool:
    return np.array_equal(one.train, other.train) and np.array_equal(one.held_out, other.held_out)


def test_the_same_task_the_same_split() -> None:
    assert same(of(), of())
    assert same(of(), of(label_noise=0.5)), "noise changes labels, not membership"


@pytest.mark.parametrize("fields", [{"fingerprint": "1" * 64}, {"split_seed": 1}])
def test_data_and_split_seed_choose_the_split(fields: dict[str, Any]) -> None:
    assert not same(of(), of(**fields))
    assert not np.array_equal(of(label_noise=1).train_labels, of(label_noise=1, **fields).train_labels)


def test_the_name_chooses_the_split() -> None:
    """Two tasks with the same held-out share and fingerprint still differ."""
    assert not same(of(name="cifar10"), of(name="cifar100"))


def test_nothing_else_enters_the_split() -> None:
    """A seed of a generation or a chain has no way in: a task is all that the function is given."""
    fields = {
        *("name", "fingerprint", "split_seed", "label_noise", "noise_kind"),
        "protocol",
        "tokens",
        "flip",
        "normalise",
    }
    assert set(Task.model_fields) == fields
    np.random.seed(1)  # noqa: NPY002
    first = of(label_noise=0.5)
    np.random.seed(2)  # noqa: NPY002
    second = of(label_noise=0.5)
    assert same(first, second)
    assert np.array_equal(first.train_labels, second.train_labels)


def test_held_out_and_training_samples_are_disjoint_and_complete() -> None:
    for labels in (LABELS, np.zeros(50, dtype=np.int64), np.arange(10), np.array([3] * 39 + [5])):
        parts = of(labels)
        assert not set(parts.train.tolist()) & set(parts.held_out.tolist())
        assert sorted([*parts.train.tolist(), *parts.held_out.tolist()]) == list(range(len(labels)))
        assert np.all(np.diff(parts.train) > 0)
        assert np.all(np.diff(parts.held_out) > 0)
        assert len(parts.held_out) == round(0.25 * len(labels))


@pytest.mark.parametrize("counts", [(40,) * 10, (37, 1, 2, 60, 100), (1, 1, 1, 1), (399, 1)])
def test_the_split_is_stratified(counts: Sequence[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)[np.random.default_rng(0).permutation(sum(counts))]
    held_out = labels[of(labels).held_out]
    for label, count in enumerate(counts):
        assert abs(int((held_out == label).sum()) - 0.25 * count) < 1, (label, count)


def test_sizes_of_digits(digits: ImageDataset, task: Task) -> None:
    parts = split(task, digits.train.labels, digits.num_classes)
    assert (len(parts.train), len(parts.held_out), len(digits.test.labels)) == (300, 100, 1397)
    for labels, total in ((digits.train.labels[parts.held_out], 100), (digits.test.labels, 1397)):
        whole = np.bincount(digits.train.labels) + np.bincount(digits.test.labels)
        assert np.all(np.abs(np.bincount(labels) - whole * total / 1797) < 2)


def test_the_split_of_digits_is_fixed(digits: ImageDataset, task: Task) -> None:
    """A change needs a bump of SEMANTICS_VERSION: members of one population must share one split."""
    assert digits.fingerprint == DIGITS_FINGERPRINT
    noisy = task.model_copy(update={"label_noise": 0.3})
    parts = split(noisy, digits.train.labels, digits.num_classes)
    text = ",".join(map(str, [*parts.train.tolist(), *parts.held_out.tolist(), *parts.train_labels.tolist()]))
    assert hashlib.sha256(text.encode()).hexdigest() == DIGITS_SPLIT


@pytest.mark.parametrize("protocol", ["search", "paper"])
@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.3, 0.5, 0.999, 1])
def test_noise_replaces_exactly_its_share_of_training_labels(share: float, protocol: str) -> None:
    parts = of(classes=MANY, label_noise=share, protocol=protocol)
    replaced = parts.train_labels != LABELS[parts.train]
    assert replaced.sum() == round(share * len(parts.train))


def test_more_noise_keeps_what_less_noise_replaced() -> None:
    few, many = (of(classes=MANY, label_noise=share) for share in (0.2, 0.6))
    replaced = few.train_labels != LABELS[few.train]
    assert np.array_equal(few.train_labels[replaced], many.train_labels[replaced])


def test_new_labels_are_uniform_over_all_classes() -> None:
    """The old class too: otherwise a noise of 1 would be a label that is never right."""
    parts = of(np.zeros(8000, dtype=np.int64), label_noise=1)
    counts = np.bincount(parts.train_labels, minlength=10)
    expected = len(parts.train) / 10
    assert len(counts) == 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9, "chi-square with 9 degrees of freedom, p = 0.001"


@pytest.mark.parametrize("share", [0.2, 0.45])
def test_pair_noise_moves_its_share_of_each_class_to_the_next(share: float) -> None:
    labels = np.repeat(np.arange(10), 10 * np.arange(1, 11))
    parts = of(labels, label_noise=share, noise_kind="pair")
    assert same(parts, of(labels))
    clean = labels[parts.train]
    for label in range(10):
        own = parts.train_labels[clean == label]
        replaced = own != label
        assert replaced.sum() == round(share * len(own))
        assert set(own[replaced].tolist()) <= {(label + 1) % 10}


def test_asymmetric_noise_confuses_what_is_alike() -> None:
    labels = np.arange(4000) % 10
    parts = of(labels, name="cifar10", label_noise=0.4, noise_kind="asymmetric")
    clean = labels[parts.train]
    flips = {(int(old), int(new)) for old, new in zip(clean, parts.train_labels, strict=True) if old != new}
    assert flips == {(9, 1), (2, 0), (4, 7), (3, 5), (5, 3)}, "truck, bird, deer, cat, dog"
    for label in (9, 2, 4, 3, 5):
        own = parts.train_labels[clean == label]
        assert (own != label).sum() == round(0.4 * len(own))


def test_asymmetric_noise_of_cifar100_stays_in_the_superclass() -> None:
    labels = np.arange(20_000) % 100
    parts = of(labels, 100, name="cifar100", label_noise=0.3, noise_kind="asymmetric")
    clean = labels[parts.train]
    targets: dict[int, set[int]] = {}
    for old, new in zip(clean.tolist(), parts.train_labels.tolist(), strict=True):
        if old != new:
            assert SUPERCLASSES[old] == SUPERCLASSES[new]
            targets.setdefault(old, set()).add(new)
    assert {len(new) for new in targets.values()} == {1}
    assert sorted(new for (new,) in targets.values()) == list(range(100)), "a permutation"
    assert np.bincount(SUPERCLASSES).tolist() == [5] * 20


@pytest.mark.parametrize(("name", "classes"), [("digits", 10), ("folder", 7), ("cifar100", 20)])
def test_asymmetric_noise_of_unknown_classes_is_refused(name: str, classes: int) -> None:
    with pytest.raises(UserError, match=f"which classes are alike, and of {classes} classes of task {name}"):
        of(LABELS % classes, classes, name=name, label_noise=0.3, noise_kind="asymmetric")


def test_a_kind_without_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="noise_kind = pair has no effect with label_noise = 0"):
        of(noise_kind="pair")


def test_replaced_positions_do_not_follow_the_split_or_the_classes() -> None:
    labels = np.arange(8000) % 10
    parts = of(labels, classes=MANY, label_noise=0.5)
    replaced = parts.train_labels != labels[parts.train]
    first = replaced[: len(replaced) // 2].mean()
    assert abs(first - 0.5) < 0.05
    for label in range(10):
        assert abs(replaced[labels[parts.train] == label].mean() - 0.5) < 0.1


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_only_training_labels_are_noisy(digits: ImageDataset, task: Task, noise: float) -> None:
    noisy = task.model_copy(update={"label_noise": noise})
    parts = split(noisy, digits.train.labels, digits.num_classes)
    data = load_images(noisy, digits, CPU)
    clean = digits.train.labels[parts.train]
    assert np.array_equal(data.held_out.labels.numpy(), digits.train.labels[parts.held_out])
    assert np.array_equal(data.test.labels.numpy(), digits.test.labels)
    assert np.array_equal(data.train.labels.numpy(), parts.train_labels)
    assert bool((data.train.labels.numpy() == clean).all()) == (noise == 0)
    assert np.array_equal(data.train.images.numpy(), digits.train.images[parts.train]), "pixels stay as they are"


def test_the_paper_protocol_trains_on_everything(digits: ImageDataset, task: Task) -> None:
    data = load_images(task.model_copy(update={"protocol": "paper"}), digits, CPU)
    assert (len(data.train), len(data.held_out), len(data.test)) == (400, 0, 1397)
    assert np.array_equal(data.train.images.numpy(), digits.train.images)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_are_refused_with_their_number(count: int) -> None:
    with pytest.raises(UserError, match=f"^{count} training images are too few"):
        of(np.zeros(count, dtype=np.int64))
