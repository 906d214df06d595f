"""The fingerprint: the same pixels and labels are the same task, by whatever route and in whatever order."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ban_ray.errors import UserError
from ban_ray.tasks.cache import cache_root
from ban_ray.tasks.decoded.image_file import ImageFile, Pixels
from ban_ray.tasks.image_dataset import ImageArrays, ImageDataset, RawImages
from ban_ray.tasks.readers import parquet
from ban_ray.tasks.source import Source
from tests.helpers.image_files import Pictures, open_images, random_pictures, write_folder, write_part

TRAIN = random_pictures(40, seed=1)
TEST = random_pictures(20, seed=2)


def of(folder: Path, **options: Any) -> ImageDataset:
    return open_images(Source.of("cifar10", data=str(folder), **options))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return of(write_folder(tmp_path_factory.mktemp("data"), TRAIN, TEST))


def shuffled(pictures: Pictures, seed: int) -> Pictures:
    return pictures[np.random.default_rng(seed).permutation(len(pictures.labels))]


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"image": "image"},
        {"label": "fine_label"},
        {"image": "image", "label": "fine_label", "kind": "BMP"},
        {"kind": "TIFF"},
    ],
)
def test_neither_order_nor_route_matters(tmp_path: Path, first: ImageDataset, columns: dict[str, str]) -> None:
    again = of(write_folder(tmp_path, shuffled(TRAIN, 3), shuffled(TEST, 4), **columns))
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.train.images, first.train.images)
    assert np.array_equal(again.train.labels, first.train.labels)
    assert np.array_equal(again.test.images, first.test.images)


def test_plain_arrays_are_the_same_task(first: ImageDataset) -> None:
    """As a reader of another format would hand them over."""
    other = shuffled(TRAIN, 5)
    test = ImageArrays(TEST.images, TEST.labels)
    for dtype in (np.int64, np.uint8):
        raw = RawImages(ImageArrays(other.images, other.labels.astype(dtype)), test, 10)
        assert raw.cache().fingerprint == first.fingerprint


def test_decoded_pixels_are_what_was_encoded(first: ImageDataset) -> None:
    assert first.sample_shape == (32, 32, 3)
    written = {(image.tobytes(), int(label)) for image, label in zip(TRAIN.images, TRAIN.labels, strict=True)}
    read = {(image.tobytes(), int(label)) for image, label in zip(first.train.images, first.train.labels, strict=True)}
    assert read == written


def test_every_pixel_label_and_part_matters(tmp_path: Path, first: ImageDataset) -> None:
    pixel = Pictures(TRAIN.images.copy(), TRAIN.labels)
    pixel.images[7, 31, 31, 2] ^= 1
    label = Pictures(TRAIN.images, TRAIN.labels.copy())
    label.labels[7] = (label.labels[7] + 1) % 10
    changed = [
        of(write_folder(tmp_path / "pixel", pixel, TEST)),
        of(write_folder(tmp_path / "label", label, TEST)),
        of(write_folder(tmp_path / "parts", TEST, TRAIN)),
        of(write_folder(tmp_path / "fewer", TRAIN[:39], TEST)),
        open_images(Source.of("cifar100", data=str(write_folder(tmp_path / "classes", TRAIN, TEST)))),
    ]
    assert len({first.fingerprint, *(decoded.fingerprint for decoded in changed)}) == 6


def test_equal_pictures_with_different_labels_have_one_order() -> None:
    images = np.zeros((6, 2, 2, 1), dtype=np.uint8)
    cached = [
        RawImages(ImageArrays(images, np.array(labels)), ImageArrays(images, np.zeros(6, np.int64)), 10).cache()
        for labels in ([5, 1, 4, 1, 0, 9], [0, 1, 1, 4, 5, 9], [9, 5, 4, 1, 1, 0])
    ]
    assert cached[0].train.labels.tolist() == [0, 1, 1, 4, 5, 9]
    assert len({each.fingerprint for each in cached}) == 1


def literal_order(part: ImageArrays) -> ImageArrays:
    keys = [
        (hashlib.sha256(image.tobytes()).digest(), int(label))
        for image, label in zip(part.images, part.labels, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return ImageArrays(part.images[order], part.labels[order])


def literal_fingerprint(*parts: ImageArrays) -> str:
    total = b"".join(
        str(p.images.shape).encode() + p.images.tobytes() + p.labels.astype("<i8").tobytes() for p in parts
    )
    return hashlib.sha256(b"10" + total).hexdigest()


@pytest.mark.parametrize("validation", [0, 9])
@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3), st.integers(0, 2**31))
def test_what_is_written_is_what_the_definition_says(
    validation: int, count: int, num_test: int, channels: int, seed: int
) -> None:
    """Bytes of few values, so that some images are equal and labels decide."""
    chance = np.random.default_rng(seed)

    def part(size: int) -> ImageArrays:
        return ImageArrays(chance.integers(0, 2, (size, 1, 3, channels), np.uint8) * 255, chance.integers(0, 10, size))

    given_parts = [part(count), part(num_test), *([part(validation)] if validation else [])]
    parts = [literal_order(each) for each in given_parts]
    held_out = given_parts[2] if validation else None
    cached = RawImages(given_parts[0], given_parts[1], 10, held_out=held_out).cache()
    assert cached.fingerprint == literal_fingerprint(*parts)
    train = [parts[0], *parts[2:]]
    assert np.array_equal(cached.train.images, np.concatenate([each.images for each in train]))
    assert np.array_equal(cached.train.labels, np.concatenate([each.labels for each in train]))
    assert np.array_equal(cached.test.images, parts[1].images)
    assert np.array_equal(cached.test.labels, parts[1].labels)
    assert cached.num_held_out == validation
    chosen = np.flatnonzero(chance.integers(0, 2, count))
    pixels = cached.train.images[chosen].astype(np.int64)
    sums = np.stack([pixels.sum((0, 1, 2)), (pixels**2).sum((0, 1, 2))], 1)
    assert np.array_equal(cached.sums(chosen), sums)
    assert np.array_equal(replace(cached, train_sums=None).sums(chosen), sums), "as earlier versions cached them"


def test_a_column_chosen_by_name(tmp_path: Path, first: ImageDataset) -> None:
    write_folder(tmp_path, TRAIN, TEST, label="coarse")
    assert of(tmp_path, label_column="coarse").fingerprint == first.fingerprint
    with pytest.raises(UserError, match="'label'"):
        of(tmp_path)


def test_decoded_once(tmp_path: Path, first: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, TRAIN, TEST)
    of(tmp_path)
    monkeypatch.setattr(parquet, "read", lambda *_: pytest.fail("decoded again"))
    assert of(tmp_path).fingerprint == first.fingerprint
    assert isinstance(of(tmp_path).train.images, np.memmap), "processes of a node share the pages"


def test_a_changed_file_is_decoded_again(tmp_path: Path, first: ImageDataset) -> None:
    write_folder(tmp_path, TRAIN, TEST)
    assert of(tmp_path).fingerprint == first.fingerprint
    stamp = (tmp_path / "train.parquet").stat()
    write_part(tmp_path / "train.parquet", shuffled(TRAIN, 0)[:30])
    os.utime(tmp_path / "train.parquet", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert of(tmp_path).fingerprint != first.fingerprint


def test_nothing_half_decoded_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, TRAIN[:33], TEST)
    before = sorted(cache_root().iterdir())
    real = ImageFile.write

    def full(self: ImageFile, row: int, image: Pixels) -> None:
        if self.path.name == "test.npy" and row == 3:
            raise OSError(28, "No space left on device")
        real(self, row, image)

    monkeypatch.setattr(ImageFile, "write", full)
    with pytest.raises(OSError, match="No space"):
        of(tmp_path)
    assert sorted(cache_root().iterdir()) == before
    monkeypatch.undo()


def test_a_known_fingerprint_needs_no_files(tmp_path: Path, first: ImageDataset) -> None:
    source = Source(name="cifar10", data=str(tmp_path / "gone"))
    assert open_images(source, first.fingerprint).fingerprint == first.fingerprint


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_other_data_than_the_task_asks_for_is_refused(tmp_path: Path, name: str) -> None:
    data = None if name == "digits" else str(write_folder(tmp_path, TRAIN, TEST))
    with pytest.raises(UserError, match="0" * 12):
        open_images(Source.of(name, data=data), "0" * 64)


def test_the_cache_says_how_many_classes(first: ImageDataset) -> None:
    assert json.loads((cache_root() / first.fingerprint / "meta.json").read_text())["num_classes"] == 10
