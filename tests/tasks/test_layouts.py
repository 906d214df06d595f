"""The same pixels and labels have one fingerprint, whatever files they come from."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest

from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.source import Source
from tests.helpers.image_files import (
    Dump,
    Pictures,
    gray_pictures,
    open_images,
    python2,
    python3,
    random_pictures,
    write_cifar,
    write_folder,
    write_idx,
    write_images,
)

TRAIN, TEST = random_pictures(40, seed=1), random_pictures(20, seed=2)
GRAY_TRAIN, GRAY_TEST = gray_pictures(30, 3), gray_pictures(20, 4)


def shuffled(pictures: Pictures) -> Pictures:
    return pictures[np.random.default_rng(9).permutation(len(pictures.labels))]


def same(one: ImageDataset, other: ImageDataset) -> bool:
    parts = ((one.train, other.train), (one.test, other.test))
    return one.fingerprint == other.fingerprint and all(
        np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels) for a, b in parts
    )


@pytest.mark.parametrize("task", ["cifar10", "cifar100"])
@pytest.mark.parametrize(
    "dump",
    [
        python2,
        python3,
        functools.partial(python3, protocol=2),
        lambda data, fields: python3(np.asfortranarray(data), fields),
    ],
)
def test_cifar_by_parquet_and_by_torchvisions_files(tmp_path: Path, task: str, dump: Dump) -> None:
    parquet = open_images(Source.of(task, str(write_folder(tmp_path / "parquet", TRAIN, TEST))))
    folder = write_cifar(tmp_path / "pickles", task, shuffled(TRAIN), TEST, dump=dump)
    inner = next(folder.iterdir())
    for data in (folder, inner):
        assert same(open_images(Source.of(task, str(data))), parquet)


def test_coarse_labels_by_both_routes(tmp_path: Path) -> None:
    coarse = Pictures(TRAIN.images, TRAIN.labels // 2)
    parquet = write_folder(tmp_path / "parquet", coarse, coarse, label="coarse_label")
    folder = write_cifar(tmp_path / "pickles", "cifar100", TRAIN, TRAIN, coarse_labels=coarse.labels.tolist())
    first = open_images(Source.of("cifar100", str(parquet), "coarse_label"))
    assert same(open_images(Source.of("cifar100", str(folder), "coarse_labels")), first)
    assert not same(open_images(Source.of("cifar100", str(folder))), first)


def test_cifar_by_a_folder_of_files(tmp_path: Path) -> None:
    """Pictures that have the size already keep every pixel."""
    parquet = open_images(Source.of("cifar10", str(write_folder(tmp_path / "parquet", TRAIN, TEST))))
    folder = write_images(tmp_path / "images", shuffled(TRAIN), TEST)
    assert same(open_images(Source.of("folder", str(folder), image_size=32)), parquet)


def test_fashion_mnist_by_every_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, packed in (("raw", False), ("gz", True)):
        write_idx(tmp_path / name / "FashionMNIST" / "raw", GRAY_TRAIN, GRAY_TEST, packed=packed)
    write_idx(tmp_path / "flat", GRAY_TRAIN, GRAY_TEST, packed=False)
    write_idx(tmp_path / "debian", shuffled(GRAY_TRAIN), shuffled(GRAY_TEST), packed=True)
    first = open_images(Source.of("fashion_mnist", str(tmp_path / "raw")))
    assert first.sample_shape == (28, 28, 1)
    assert first.num_classes == 10
    for name in ("gz", "flat", "debian"):
        assert same(open_images(Source.of("fashion_mnist", str(tmp_path / name))), first)

    kind = dataclasses.replace(TASK_TYPES["fashion_mnist"], default_data=str(tmp_path / "debian"))
    monkeypatch.setitem(TASK_TYPES, "fashion_mnist", kind)
    found = Source.of("fashion_mnist")
    assert found.data == str(tmp_path / "debian")
    assert same(open_images(found), first)


def test_gray_folders_have_one_channel_and_coloured_ones_three(tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", GRAY_TRAIN, GRAY_TEST, packed=False)
    gray = open_images(Source.of("fashion_mnist", str(tmp_path / "idx")))
    folder = write_images(tmp_path / "images", GRAY_TRAIN, GRAY_TEST)
    source = Source.of("folder", str(folder), image_size=28)
    assert same(open_images(source), gray)

    write_images(folder, Pictures(TRAIN.images[:1], TRAIN.labels[:1]), GRAY_TEST[:0])
    again = open_images(source)
    assert again.sample_shape == (28, 28, 3), "one coloured picture, decoded again without being told"
    assert again.fingerprint != gray.fingerprint
