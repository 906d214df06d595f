"""Images that cannot be decoded: all of them told at once, or left out and counted."""

from pathlib import Path

import numpy as np
import pytest

from ban_ray.errors import UserError
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from tests.helpers.command import Command
from tests.helpers.image_files import (
    encode,
    gray_pictures,
    open_images,
    random_pictures,
    write_idx,
    write_images,
    write_part,
    write_shards,
    write_table,
)

NAMES = ("ant", "bee")
TRAIN, TEST = random_pictures(60, classes=2, side=20, seed=1), random_pictures(10, classes=2, side=20, seed=2)


def refused(data: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        open_images(Source.of("folder", str(data), **options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_images(tmp_path / "data", TRAIN, TEST, names=NAMES)


def spoil(data: Path) -> list[Path]:
    """A truncated, an empty and a corrupt file, and one of another kind."""
    files = [data / name for name in ("train/ant/4.png", "train/ant/8.png", "train/bee/9.png", "test/bee/1.png")]
    whole = files[0].read_bytes()
    for file, content in zip(files, (whole[:-60], b"", b"\x89PNG\r\n\x1a\n" + b"?" * 90, b"GIF89"), strict=True):
        file.write_bytes(content)
    return files


@pytest.mark.parametrize("size", [None, "12"])
def test_all_of_them_are_told_at_once(data: Path, size: str | None) -> None:
    files = spoil(data)
    sentence = refused(data, image_size=size)
    assert sentence.startswith(f"4 of 70 images cannot be decoded: {files[0]} is corrupt (image file is truncated); ")
    assert all(str(file) in sentence for file in files)
    assert sentence.endswith("; --skip-bad leaves them out")
    assert refused(data, image_size=size) == sentence


def test_one_is_told_by_its_name(data: Path) -> None:
    file = spoil(data)[1]
    for other in spoil(data)[::2]:
        other.write_bytes(encode(TRAIN.images[0]))
    (data / "test/bee/1.png").write_bytes(encode(TRAIN.images[1]))
    said = "is empty: it has no bytes; --skip-bad leaves it out"
    assert refused(data) == f"{file} {said}"


def test_of_many_twenty_are_named(data: Path) -> None:
    for file in (data / "train").rglob("*.png"):
        if int(file.stem) < 50:
            file.write_bytes(b"")
    sentence = refused(data)
    assert sentence.startswith("50 of 70 images cannot be decoded: ")
    assert sentence.count(".png is empty") == 20
    assert sentence.endswith("; and 30 more; --skip-bad leaves them out")


def test_they_are_left_out_and_counted(data: Path, tmp_path: Path) -> None:
    files = spoil(data)
    left = open_images(Source.of("folder", str(data), skip_bad=True))
    assert (left.skipped, len(left.train.labels), len(left.test.labels)) == (4, 57, 9)
    assert open_images(Source.of("folder", str(data), skip_bad=True)).skipped == 4, "also when nothing is decoded"
    for file in files:
        file.unlink()
    without = open_images(Source.of("folder", str(data)))
    assert without.fingerprint == left.fingerprint
    assert without.skipped == 0
    whole = write_images(tmp_path / "whole", TRAIN, TEST, names=NAMES)
    assert open_images(Source.of("folder", str(whole))).fingerprint != left.fingerprint
    assert np.array_equal(left.train.labels, without.train.labels)


def test_rows_of_parquet_are_left_out(tmp_path: Path) -> None:
    write_part(tmp_path / "train.parquet", TRAIN)
    rows: list[dict[str, object]] = [{"bytes": encode(image), "path": None} for image in TEST.images]
    rows[3]["bytes"], rows[6] = b"junk", {"bytes": None, "path": "6.png"}
    write_table(tmp_path / "test.parquet", rows, TEST.labels.tolist())
    place = f"{tmp_path / 'test.parquet'}: the image in row"
    sentence = refused(tmp_path)
    assert sentence.startswith(f"2 of 70 images cannot be decoded: {place} 3 is corrupt or in none of")
    assert f"; {place} 6 holds no encoded image; --skip-bad" in sentence
    assert open_images(Source.of("folder", str(tmp_path), skip_bad=True)).skipped == 2


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("train/bee", "train has no image for class 'bee'; every class needs one in training"),
        ("test", "test holds no images that can be decoded; one is needed"),
        ("", "70 images cannot be decoded: "),
    ],
)
def test_enough_must_be_left(data: Path, where: str, said: str) -> None:
    for file in (data / where).rglob("*.png"):
        file.write_bytes(b"")
    assert said in refused(data, skip_bad=True)
    assert said.partition(" ")[0] in refused(data, skip_bad=True, image_size="16")


def test_a_layout_without_encoded_images_has_nothing_to_skip(tmp_path: Path) -> None:
    write_idx(tmp_path, gray_pictures(20, 1), gray_pictures(20, 2), packed=False)
    with pytest.raises(UserError, match=r"--skip-bad has no effect: .* has train-images-idx3-ubyte"):
        open_source(Source.of("fashion_mnist", str(tmp_path), skip_bad=True))


def test_the_plan_says_how_many(data: Path, search_here: Command) -> None:
    spoil(data)
    arguments = ("--space", "chain", "--network", "densenet-bc-10-4", "--batch-size", "8", "--plan", "--task", "folder")
    run = search_here(*arguments, "--data", str(data))
    assert run.status == 2
    assert "4 of 70 images cannot be decoded" in run.err
    run = search_here(*arguments, "--data", str(data), "--skip-bad")
    assert run.status == 0, run.err
    assert "4 images that cannot be decoded left out" in run.out


def test_shards_name_their_own_rows(tmp_path: Path) -> None:
    write_shards(tmp_path, {"train": TRAIN, "test": TEST}, shards=3)
    write_part(tmp_path / "train-00001-of-00003.parquet", random_pictures(5, classes=2, side=20))
    assert open_images(Source.of("folder", str(tmp_path))).skipped == 0
    write_part(tmp_path / "train-00001-of-00003.parquet", random_pictures(5, classes=2, side=21))
    assert "the images have 2 sizes" in refused(tmp_path)
