"""Fashion-MNIST's idx files: what does not fit is one sentence."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ban_ray.errors import UserError
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.tasks.types.fashion_mnist import FILES
from tests.helpers.image_files import gray_pictures, to_idx, write_idx

TRAIN, TEST = gray_pictures(12, 1), gray_pictures(10, 2)
IMAGES, LABELS = TRAIN.images[..., 0], TRAIN.labels.astype(np.uint8)

BAD: dict[str, tuple[int, bytes, str]] = {
    "empty": (0, b"", "begins with nothing; 3-dimensional idx is needed"),
    "labels for images": (0, to_idx(LABELS), "begins with 00000801; 3-dimensional idx is needed"),
    "other numbers": (0, b"\0\0\x0d\x03" + to_idx(IMAGES)[4:], "begins with 00000d03"),
    "compressed without .gz": (0, gzip.compress(to_idx(IMAGES)), "begins with 1f8b"),
    "shorter": (0, to_idx(IMAGES)[:-1], "holds 9407 bytes of data; its header says 12x28x28"),
    "longer": (1, to_idx(LABELS) + b"\0", "holds 13 bytes of data; its header says 12"),
    "huge": (0, b"\0\0\x08\x03" + b"\xff" * 12, "its header says 4294967295x4294967295x4294967295"),
    "other size": (0, to_idx(IMAGES[:, :20]), "images of 20x28 pixels; 28x28 is needed"),
    "no images": (0, to_idx(IMAGES[:0]), "holds no images"),
    "fewer labels": (1, to_idx(LABELS[:-2]), "holds 10 labels for the 12 images of"),
    "label too large": (1, to_idx(LABELS + np.uint8(1)), "label 10 is too large; allowed are 0 to 9"),
}


@pytest.mark.parametrize(("which", "content", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_sentence(tmp_path: Path, which: int, content: bytes, said: str) -> None:
    write_idx(tmp_path, TRAIN, TEST, packed=False)
    (tmp_path / FILES[which]).write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_source(Source.of("fashion_mnist", str(tmp_path)))
    assert str(tmp_path / FILES[which]) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(to_idx(IMAGES))[:-30], None])
def test_a_bad_compressed_file_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    write_idx(tmp_path, TRAIN, TEST, packed=True)
    file = tmp_path / f"{FILES[0]}.gz"
    damaged = bytearray(file.read_bytes())
    damaged[2000:2100] = bytes(100)
    file.write_bytes(bytes(damaged) if content is None else content)
    with pytest.raises(UserError) as caught:
        open_source(Source.of("fashion_mnist", str(tmp_path)))
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
