"""Pictures are read as PIL and torchvision read them: turned by Exif, of any depth and palette, of any size."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import functional
from torchvision.transforms.v2.functional import to_dtype

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.readers.image_decoding import decode, open_image, read_header
from ban_ray.tasks.source import Source
from tests.helpers.image_files import open_images, random_pictures, write_images

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning:torchvision", "UserWarning:PIL")
]
Y, X = np.mgrid[0:12, 0:20]
COLOURED = np.stack([12 * X, 20 * Y, 255 - 6 * X - 11 * Y], -1).astype(np.uint8)
DEEP = (np.arange(12 * 20, dtype=np.uint16) * 271).reshape(12, 20)


def encoded(image: Image.Image, kind: str, orientation: int = 1, **options: object) -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


def read(content: bytes, channels: int = 3) -> NDArray[np.uint8]:
    """The pixels; the header, read before, agrees with them."""
    with open_image(io.BytesIO(content), "it") as image:
        header = read_header(image)
    with open_image(io.BytesIO(content), "it") as image:
        pixels = np.asarray(decode(image, channels))
    assert pixels.shape[:2] == (header.height, header.width)
    return pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 300])
def test_pictures_are_turned_as_pil_turns_them(kind: str, orientation: int) -> None:
    content = encoded(Image.fromarray(COLOURED), kind, orientation)
    with Image.open(io.BytesIO(content)) as image:
        turned = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read(content), turned)
    if kind in ("JPEG", "PNG") and orientation < 9:
        ours = decode_image(torch.frombuffer(bytearray(content), dtype=torch.uint8), apply_exif_orientation=True)
        close = 0 if kind == "PNG" else 3
        assert np.abs(ours.permute(1, 2, 0).numpy().astype(int) - read(content)).max() <= close


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_upper_half_of_16_bits_is_read(kind: str, orientation: int) -> None:
    content = encoded(Image.fromarray(DEEP), kind, orientation)
    expected = (DEEP >> 8).astype(np.uint8)
    if orientation == 6:
        expected = np.rot90(expected, -1)
    assert np.array_equal(read(content, 1), expected)
    assert np.array_equal(read(content), np.stack([expected] * 3, -1))
    if kind == "PNG":
        wide = decode_image(
            torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.RGB, apply_exif_orientation=True
        )
        assert torch.equal(to_dtype(wide, torch.uint8, scale=True).permute(1, 2, 0), torch.tensor(read(content)))


def test_16_bits_in_a_pgm_file() -> None:
    content = b"P5 20 12 65535\n" + DEEP.astype(">u2").tobytes()
    assert np.array_equal(read(content, 1), (DEEP >> 8).astype(np.uint8))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "RGB", "CMYK", "YCbCr", "LAB"])
def test_every_mode_becomes_rgb_as_pil_converts_it(mode: str) -> None:
    kind = "PNG" if mode in ("1", "L", "LA", "P", "RGBA", "RGB") else "TIFF"
    image = Image.fromarray(COLOURED)
    # PIL makes none from colours.
    image = Image.new("LAB", (20, 12), (100, 20, 30)) if mode == "LAB" else image.convert(mode)
    content = encoded(image, kind)
    with Image.open(io.BytesIO(content)) as opened:
        assert np.array_equal(read(content), np.asarray(opened.convert("RGB")))


@pytest.mark.parametrize("values", [DEEP.astype(np.float32), DEEP.astype(np.int32)])
def test_pixels_of_unknown_range_are_refused(values: NDArray[np.float32]) -> None:
    with pytest.raises(UserError, match=r"it is corrupt \(mode [IF]; at most 16 bits a pixel"):
        read(encoded(Image.fromarray(values), "TIFF"))


def test_damaged_metadata_change_no_pixel() -> None:
    plain = encoded(Image.fromarray(COLOURED), "JPEG", 6, quality=95)
    start = plain.index(b"Exif\0\0") + 6
    damaged = plain[:start] + b"\xff" * 8 + plain[start + 8 :]
    assert np.array_equal(np.rot90(read(damaged), -1), read(plain))


def of_sizes(place: Path, *sizes: tuple[int, int]) -> Path:
    """Smooth pictures of (height, width), one of each size in turn."""
    chance = np.random.default_rng(0)
    for part in ("train", "test"):
        for number in range(12):
            height, width = sizes[number % len(sizes)]
            y, x = np.mgrid[0:height, 0:width] / 30
            tilt = chance.random(3) * 4
            pixels = 127 + 100 * np.stack([np.sin(tilt[0] * x + y), np.cos(tilt[1] * y), np.sin(tilt[2] * x)], -1)
            file = place / part / "ab"[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    return place


def opened(data: Path, size: str | None = None) -> ImageDataset:
    return open_images(Source.of("folder", str(data), image_size=size))


def test_one_size_need_not_be_named(tmp_path: Path) -> None:
    data = of_sizes(tmp_path, (18, 25))
    assert opened(data).sample_shape == (18, 25, 3)
    assert opened(data, "18x25").fingerprint == opened(data).fingerprint


def test_pictures_that_lie_on_their_side_have_the_size_of_upright_ones(tmp_path: Path) -> None:
    data = of_sizes(tmp_path, (18, 25))
    (data / "test" / "a" / "0.png").write_bytes(encoded(Image.new("RGB", (18, 25)), "PNG", 6))
    assert opened(data).sample_shape == (18, 25, 3)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (((18, 25), (30, 20)), "the images have 2 sizes (height x width: 18x25, 30x20); --image-size is needed"),
        (((9, 8), (9, 9), (9, 10), (9, 11)), "4 sizes (height x width: 9x8, 9x10, 9x9, ...); --image-size is"),
        (((7, 9),), "the images are 7x9 pixels (height x width); --image-size is needed, sides from 8 to 1024"),
        (((9, 1025),), "the images are 9x1025 pixels (height x width); --image-size is needed"),
    ],
)
def test_sizes_that_need_image_size(tmp_path: Path, sizes: tuple[tuple[int, int], ...], said: str) -> None:
    data = of_sizes(tmp_path, *sizes)
    with pytest.raises(UserError) as caught:
        opened(data)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert opened(data, "16").sample_shape == (16, 16, 3)


def test_mixed_sizes_are_resized_and_cropped_as_torchvision_does(tmp_path: Path) -> None:
    """The shorter side to the size, then the middle: one grey level apart on average, as the cut is not rounded."""
    data = of_sizes(tmp_path, (60, 40), (32, 64), (48, 48))
    decoded = opened(data, "32")
    files = sorted((data / "test").rglob("*.png"))
    theirs = []
    for file in files:
        with Image.open(file) as image:
            theirs.append(np.asarray(functional.center_crop(functional.resize(image, [32]), [32, 32])))
    ours = sorted(decoded.test.images, key=lambda image: float(image.mean()))
    for one, other in zip(ours, sorted(theirs, key=lambda image: float(image.mean())), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1


def test_a_deep_picture_among_gray_ones_is_gray(tmp_path: Path) -> None:
    pictures = random_pictures(12, classes=2, side=20)
    data = write_images(tmp_path, pictures, pictures)
    for file in data.rglob("*.png"):
        Image.fromarray(np.resize(DEEP, (20, 20))).save(file)
    assert opened(data).sample_shape == (20, 20, 1)
