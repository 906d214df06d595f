"""Every bad data folder is one line that names the file and what is wrong in it."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ban_ray.errors import UserError
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from tests.helpers.image_files import encode, random_pictures, write_folder, write_part, write_table

PICTURES = random_pictures(12)
ENCODED: list[object] = [{"bytes": encode(image), "path": None} for image in PICTURES.images]
LABELS = PICTURES.labels.tolist()


def with_image(row: int, content: object) -> list[object]:
    return [{"bytes": content, "path": None} if place == row else image for place, image in enumerate(ENCODED)]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BOMB = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b""))
    + chunk(b"IEND", b"")
)
"""A picture that says it has 3.6 billion pixels."""


def no_rows(file: Path) -> None:
    schema = pa.schema([("img", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())])
    pq.write_table(schema.empty_table(), file)


def damaged_pages(file: Path) -> None:
    write_part(file, PICTURES)
    content = bytearray(file.read_bytes())
    content[4:200] = bytes(196)
    file.write_bytes(content)


def truncated(file: Path) -> None:
    write_part(file, PICTURES)
    file.write_bytes(file.read_bytes()[:-20])


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


Spoil = Callable[[Path], object]
CASES: dict[str, tuple[Spoil, str]] = {
    "missing": (Path.unlink, "is missing"),
    "a folder": (to_folder, "is missing"),
    "no bytes": (lambda file: file.write_bytes(b""), "cannot be read as Parquet"),
    "not Parquet": (lambda file: file.write_text("id,img,label\n1,2,3\n" * 20), "cannot be read as Parquet"),
    "truncated": (truncated, "cannot be read as Parquet"),
    "damaged pages": (damaged_pages, "cannot be read as Parquet"),
    "no rows": (no_rows, "no images"),
    "no image column": (
        lambda file: write_table(file, ENCODED, LABELS, image="picture"),
        "no image column 'img' or 'image'; its columns are picture, label",
    ),
    "no label column": (
        lambda file: write_table(file, ENCODED, LABELS, label="coarse_label"),
        "no label column 'fine_label' or 'label' or 'labels'; its columns are img, coarse_label",
    ),
    "corrupt image": (
        lambda file: write_table(file, with_image(5, b"\x89PNG junk"), LABELS),
        "image in row 5 is corrupt",
    ),
    "truncated image": (
        lambda file: write_table(file, with_image(11, encode(PICTURES.images[11])[:-40]), LABELS),
        "image in row 11 is corrupt",
    ),
    "empty image": (lambda file: write_table(file, with_image(2, b""), LABELS), "image in row 2 is empty"),
    "no image in a row": (lambda file: write_table(file, with_image(3, None), LABELS), "row 3 holds no encoded image"),
    "null in the image column": (lambda file: write_table(file, [*ENCODED[:11], None], LABELS), "row 11 holds no"),
    "text for an image": (
        lambda file: write_table(file, ["a.png"] * 12, LABELS),
        "image column 'img' holds string; encoded",
    ),
    "wrong size": (
        lambda file: write_table(file, with_image(4, encode(np.zeros((28, 30, 3), np.uint8))), LABELS),
        "image in row 4 is 30x28; 32x32 is needed",
    ),
    "label too large": (lambda file: write_table(file, ENCODED, [*LABELS[:11], 10]), "0 to 10; allowed are 0 to 9"),
    "label too small": (lambda file: write_table(file, ENCODED, [*LABELS[:11], -1]), "-1 to 9; allowed are 0 to 9"),
    "null label": (
        lambda file: write_table(file, ENCODED, [*LABELS[:11], None]),
        "row 11 of label column 'label' holds nothing; a whole number is needed",
    ),
    "nested labels": (lambda file: write_table(file, ENCODED, [[label] * (label + 1) for label in LABELS]), "'label'"),
    "NaN label": (lambda file: write_table(file, ENCODED, [*map(float, LABELS[:11]), float("nan")]), "column 'label'"),
    "broken label": (lambda file: write_table(file, ENCODED, [label + 0.5 for label in LABELS]), "column 'label'"),
    "one label as text": (
        lambda file: write_table(file, ENCODED, pa.array([f"class {label}" for label in LABELS[:11]] + [None])),
        "row 11 of label column 'label' holds nothing; a class name is needed",
    ),
    "labels as text": (
        lambda file: write_table(file, ENCODED, [f"class {label}" for label in LABELS]),
        "labels are names in one of",
    ),
    "huge unsigned label": (
        lambda file: write_table(file, ENCODED, pa.array([2**64 - 1] * 12, pa.uint64())),
        "column 'label'",
    ),
    "decompression bomb": (lambda file: write_table(file, with_image(6, BOMB), LABELS), "image in row 6"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = write_folder(tmp_path_factory.mktemp("good"), PICTURES, PICTURES)
    return (folder / "train.parquet").read_bytes(), (folder / "test.parquet").read_bytes()


@pytest.mark.parametrize("name", ["train.parquet", "test.parquet"])
@pytest.mark.parametrize(("spoil", "said"), CASES.values(), ids=CASES)
def test_a_bad_file(tmp_path: Path, good: tuple[bytes, bytes], name: str, spoil: Spoil, said: str) -> None:
    for file, content in zip(("train.parquet", "test.parquet"), good, strict=True):
        (tmp_path / file).write_bytes(content)
    spoil(tmp_path / name)
    with pytest.raises(UserError) as caught:
        open_source(Source.of("cifar10", data=str(tmp_path)))
    sentence = str(caught.value)
    assert str(tmp_path / name) in sentence
    assert said in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400 + len(str(tmp_path))


def test_the_sentence_of_a_corrupt_image_is_always_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path, PICTURES, PICTURES)
    write_table(tmp_path / "train.parquet", with_image(5, b"junk"), LABELS)
    with pytest.raises(UserError) as caught:
        open_source(Source.of("cifar10", data=str(tmp_path)))
    assert "0x" not in str(caught.value)


def test_a_wrong_column_on_the_command_line_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, PICTURES, PICTURES)
    with pytest.raises(UserError, match="no label column 'lable'; its columns are id, img, label"):
        open_source(Source.of("cifar10", data=str(tmp_path), label_column="lable"))


def test_images_as_plain_bytes_are_read(tmp_path: Path) -> None:
    write_folder(tmp_path, PICTURES, PICTURES)
    first = open_source(Source.of("cifar10", data=str(tmp_path)))
    write_table(tmp_path / "train.parquet", [encode(image) for image in PICTURES.images], LABELS)
    assert open_source(Source.of("cifar10", data=str(tmp_path))).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("cifar11", {}, "'cifar11'; allowed are cifar10, cifar100, digits"),
        ("cifar10", {}, "needs --data"),
        ("cifar10", {"data": "/no/such/folder"}, "'/no/such/folder' is not a folder"),
        ("digits", {"data": "."}, "--data '.' has no effect"),
        ("digits", {"label_column": "x"}, "--label-column 'x' has no effect"),
    ],
)
def test_a_source_that_cannot_be_used(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        Source.of(name, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
