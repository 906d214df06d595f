"""Files of images: any rows in any order, permuted in place, and damage told as an error."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ban_ray.tasks.decoded.image_file import ArrayRows, ImageFile, ImageRows, Pixels

SHAPE = (23, 2, 5, 3)


def images(count: int = SHAPE[0]) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE[1:]), dtype=np.uint8)


def written(path: Path, pixels: Pixels) -> ImageFile:
    file = ImageFile.create(path, pixels.shape)
    for row, image in reversed(list(enumerate(pixels))):
        file.write(row, image)
    return file


def read(source: ImageRows, rows: list[int]) -> Pixels:
    out = np.empty((len(rows), *source.shape[1:]), np.uint8)
    source.read(np.array(rows, dtype=np.int64), out)
    return out


@given(st.lists(st.integers(0, SHAPE[0] - 1), max_size=40))
def test_any_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[int]) -> None:
    path = tmp_path_factory.mktemp("file") / "images.npy"
    with_header = written(path, images())
    for source in (with_header, ImageFile.open(path), ArrayRows(images())):
        assert np.array_equal(read(source, rows), images()[rows])
    assert np.array_equal(np.load(path, mmap_mode="r"), images())


@settings(max_examples=50)
@given(st.permutations(range(12)), st.integers(1, 12))
def test_reordered_in_place(tmp_path_factory: pytest.TempPathFactory, order: list[int], left: int) -> None:
    path = tmp_path_factory.mktemp("file") / "images.npy"
    file = written(path, images(12))
    file.reorder(np.array(order))
    file.finish(left)
    assert np.array_equal(np.load(path), images(12)[order][:left])
    assert path.stat().st_size == np.load(path).nbytes + 128


def test_it_stays_readable_when_its_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    written(tmp_path / "folder" / "images.npy", images()).close()
    file = ImageFile.open(tmp_path / "folder" / "images.npy")
    shutil.rmtree(tmp_path / "folder")
    assert np.array_equal(read(file, [20, 3]), images()[[20, 3]])


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    file = written(path, images())
    with path.open("r+b") as cut:
        cut.truncate(path.stat().st_size - 10 * 30)
    assert np.array_equal(read(file, [12]), images()[[12]])
    for rows in ([22], [5, 13], [12, 13]):
        with pytest.raises(OSError, match=r"has been truncated: '.*images.npy'"):
            read(file, rows)
    with pytest.raises(OSError, match=r"no whole file of decoded images \(it is truncated\)"):
        ImageFile.open(path)


@pytest.mark.parametrize("content", [b"", b"junk" * 50, "floats"])
def test_another_file_is_refused(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "images.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, np.zeros((2, 3, 4, 1)))
    with pytest.raises(OSError, match="no whole file of decoded images"):
        ImageFile.open(path)
