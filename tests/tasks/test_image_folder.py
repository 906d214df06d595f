"""Folders of image files: what is read, at which size, and one sentence for each thing that is wrong."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms import functional

from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.readers import encoded_images, image_folder
from ban_ray.tasks.readers.image_decoding import center_crop_resize, decode, open_image
from ban_ray.tasks.source import Source
from tests.helpers.image_files import encode, open_images, random_pictures, write_images

CLASSES = ("ant", "bee")
PICTURES = random_pictures(12, classes=2, side=20)


def make(place: Path, kind: str = "png") -> Path:
    return write_images(place, PICTURES, PICTURES[:6], names=CLASSES, kind=kind)


def refused(data: Path, size: str = "16") -> str:
    with pytest.raises(UserError) as caught:
        open_images(Source.of("folder", str(data), image_size=size))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read_sized(file: Path, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    with open_image(file, str(file)) as image:
        sized = center_crop_resize(decode(image, channels), height, width)
    return np.asarray(sized).reshape(height, width, channels)


def test_extensions_are_torchvisions() -> None:
    assert set(image_folder.EXTENSIONS) == set(IMG_EXTENSIONS)


def test_what_is_read(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "train" / "ant" / "notes.txt").write_text("passed over")
    (tmp_path / "train" / "README.png").write_bytes(b"in no class")
    deep = tmp_path / "train" / "bee" / "more" / "still"
    deep.mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(deep / "a.JPG")
    decoded = open_images(Source.of("folder", str(tmp_path), image_size="16x24"))
    assert decoded.sample_shape == (16, 24, 3)
    assert decoded.class_names == CLASSES
    assert decoded.num_classes == 2
    assert np.bincount(decoded.train.labels).tolist() == [6, 7]
    assert len(decoded.test.labels) == 6
    task = Task(name="folder", fingerprint=decoded.fingerprint)
    data = load_images(task, decoded, torch.device("cpu"))
    assert (data.pad, data.flip, len(data.held_out)) == (2, True, 1)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "ppm", "tif", "webp"])
def test_formats(tmp_path: Path, kind: str) -> None:
    decoded = open_images(Source.of("folder", str(make(tmp_path, kind=kind)), image_size=20))
    difference = np.abs(np.sort(decoded.test.images.mean((1, 2, 3))) - np.sort(PICTURES.images[:6].mean((1, 2, 3))))
    assert difference.max() < (4 if kind in ("jpg", "webp") else 1e-9)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (30, 45), (45, 30)])
def test_sizes_agree_with_torchvision(tmp_path: Path, height: int, width: int) -> None:
    """A smooth picture with the target's shape and a larger one, against torchvision's resize."""
    y, x = np.mgrid[0 : 4 * height, 0 : 4 * width] / (4 * height)
    smooth = Image.fromarray((127 + 100 * np.stack([np.sin(5 * x), np.cos(4 * y), np.sin(x * y)], -1)).astype(np.uint8))
    smooth.save(tmp_path / "a.png")
    ours = read_sized(tmp_path / "a.png", height, width, 3)
    assert np.array_equal(ours, np.asarray(functional.resize(smooth, [height, width])))

    wide = functional.pad(smooth, [2 * width, 0], fill=7)
    wide.save(tmp_path / "b.png")
    middle = read_sized(tmp_path / "b.png", height, width, 3)
    assert np.abs(middle[:, 2:-2].astype(int) - ours[:, 2:-2]).max() <= 1, "the middle is cut out"


def test_gray_transparent_and_palette_files_among_coloured_ones(tmp_path: Path) -> None:
    place = tmp_path / "a.png"
    for mode in ("1", "L", "LA", "P", "RGBA", "RGB", "CMYK"):
        suffix = "tif" if mode == "CMYK" else "png"
        Image.new("L", (10, 10), 255).convert("RGB").convert(mode).save(place.with_suffix(f".{suffix}"))
        assert read_sized(place.with_suffix(f".{suffix}"), 8, 8, 3).min() >= 250, mode
    assert read_sized(place, 8, 8, 1).shape == (8, 8, 1)


def each(action: Callable[[Path], object], paths: Iterable[Path]) -> None:
    for path in list(paths):
        action(path)


def link_upwards(data: Path) -> None:
    (data / "train/ant/a").mkdir()
    (data / "train/ant/a/up").symlink_to(data / "train")


Spoil = Callable[[Path], object]
CASES: dict[str, tuple[Spoil, str, str]] = {
    "no test": (lambda data: shutil.rmtree(data / "test"), "", "no folder test; train and test are needed"),
    "val for test": (lambda data: (data / "test").rename(data / "val"), "", "its folders are: train, val"),
    "empty": (
        lambda data: each(shutil.rmtree, (data / part for part in ("train", "test"))),
        "",
        "its folders are: none",
    ),
    "class missing in test": (lambda data: shutil.rmtree(data / "test" / "bee"), "test", "no folder for class 'bee'"),
    "class missing in train": (
        lambda data: shutil.rmtree(data / "train" / "ant"),
        "train",
        "no folder for class 'ant'",
    ),
    "one class": (
        lambda data: each(shutil.rmtree, (data / part / "ant" for part in ("train", "test"))),
        "train",
        "has 1 class folders; at least two",
    ),
    "no class": (
        lambda data: each(shutil.rmtree, (data / part / name for part in ("train", "test") for name in CLASSES)),
        "train",
        "has 0 class folders; at least two",
    ),
    "class without images": (
        lambda data: each(Path.unlink, (data / "train" / "bee").iterdir()),
        "train",
        "no image for class 'bee'",
    ),
    "empty file": (lambda data: (data / "train/ant/0.png").write_bytes(b""), "train/ant/0.png", "is empty"),
    "not an image": (lambda data: (data / "train/ant/0.png").write_text("?"), "train/ant/0.png", "none of the formats"),
    "truncated": (
        lambda data: (data / "test/bee/1.png").write_bytes((data / "train/bee/1.png").read_bytes()[:-50]),
        "test/bee/1.png",
        "is corrupt",
    ),
    "PostScript": (
        lambda data: (data / "test/bee/1.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "test/bee/1.png",
        "none of the formats",
    ),
    "link to nothing": (
        lambda data: (data / "train/ant/gone.png").symlink_to("nowhere"),
        "train/ant/gone.png",
        "cannot be read (No such file",
    ),
    "link to itself": (
        lambda data: (data / "train/ant/loop").symlink_to("loop"),
        "train/ant",
        "cannot be read (Too many levels",
    ),
    "link upwards": (
        link_upwards,
        "train/ant/a/up",
        "link back to a folder that it lies in",
    ),
}


@pytest.mark.parametrize(("spoil", "place", "said"), CASES.values(), ids=CASES)
def test_a_bad_folder_is_one_sentence(tmp_path: Path, spoil: Spoil, place: str, said: str, cache: Path) -> None:
    spoil(make(tmp_path))
    before = sorted(cache.rglob("*.npy"))
    sentence = refused(tmp_path)
    assert str(tmp_path / place) in sentence
    assert said in sentence
    assert sorted(cache.rglob("*.npy")) == before
    assert not list(cache.glob(".decoding-*"))


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    real = os.scandir

    def scandir(place: Path) -> object:
        if place == tmp_path / "train" / "bee":
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert refused(tmp_path) == f"{tmp_path}/train/bee cannot be read (Permission denied)"


def test_more_than_the_disk_has_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    make(tmp_path)
    free = shutil.disk_usage(cache)._replace(free=50_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    said = refused(tmp_path, "1024")
    assert said.startswith("18 decoded images of 1024x1024 pixels and 3 channels take 56.6 MB, and ")
    assert f"{cache} has 50.0 MB free; the environment variable BAN_RAY_CACHE names another folder" in said
    assert not list(cache.glob(".decoding-*"))


@pytest.mark.parametrize("change", ["content", "name", "new", "gone", "class"])
def test_every_change_of_the_tree_is_noticed(tmp_path: Path, change: str) -> None:
    make(tmp_path)
    source = Source.of("folder", str(tmp_path), image_size=16)
    before = open_images(source)
    file = tmp_path / "train" / "ant" / "0.png"
    if change == "content":
        Image.new("RGB", (20, 20), (1, 2, 3)).save(file)
    elif change == "name":
        file.rename(tmp_path / "train" / "bee" / "new.png")
    elif change == "new":
        Image.new("RGB", (20, 20)).save(tmp_path / "test" / "ant" / "new.png")
    elif change == "gone":
        file.unlink()
    else:
        (tmp_path / "test" / "cat").mkdir()
        assert "no image for class 'cat'" in refused(tmp_path)
        return
    assert open_images(source).fingerprint != before.fingerprint


def test_decoded_once_for_each_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    source = Source.of("folder", str(tmp_path), image_size=16)
    first = open_images(source)
    assert open_images(Source.of("folder", str(tmp_path), image_size=17)).fingerprint != first.fingerprint
    monkeypatch.setattr(encoded_images, "decode", lambda *_: pytest.fail("decoded again"))
    assert open_images(source).class_names == CLASSES
    shutil.rmtree(tmp_path)
    assert open_images(source, first.fingerprint).fingerprint == first.fingerprint


BYTES = {kind: encode(PICTURES.images[0], kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=400)
@given(st.sampled_from(sorted(BYTES)), st.data())
def test_damaged_files_never_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(BYTES[kind])
    for place in data.draw(st.lists(st.integers(0, min(200, len(content) - 1)), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    file = tmp_path_factory.getbasetemp() / "damaged.png"
    file.write_bytes(content[:cut])
    try:
        assert read_sized(file, 9, 8, 3).shape == (9, 8, 3)
    except UserError as error:
        assert str(error).startswith(str(file))
        assert "\n" not in str(error)
