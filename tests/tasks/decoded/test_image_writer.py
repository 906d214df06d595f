"""Images written to the disk: a full one, and what processes that were killed have left."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ban_ray.cli.console import Console
from ban_ray.errors import UserError
from ban_ray.specs import Task
from ban_ray.tasks import cache
from ban_ray.tasks.decoded.image_file import ImageFile
from ban_ray.tasks.image_data import load_images
from ban_ray.tasks.readers import progress
from ban_ray.tasks.readers.image_decoding import center_crop_resize, decode, open_image
from ban_ray.tasks.source import Source
from tests.conftest import CPU
from tests.helpers.command import Command
from tests.helpers.image_files import open_images, random_pictures, write_images
from tests.helpers.small_disk import mounted
from tests.training.larger_than_memory import generation_of

TRAIN, TEST = random_pictures(60, classes=2, side=32, seed=1), random_pictures(10, classes=2, side=32, seed=2)
NAMES = ("ant", "bee")
NUM_BYTES = 70 * 32 * 32 * 3

WRITE = """
import sys
from pathlib import Path
from ban_ray.tasks.decoded.image_writer import ImageWriter
with ImageWriter({"train": 5, "test": 5}, (4, 4, 1)) as writer:
    print("writing", flush=True)
    input()
"""


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known before anything is decoded, and told; with room it is decoded."""
    data = write_images(tmp_path / "data", TRAIN, TEST, names=NAMES)
    with mounted(tmp_path / "disk", NUM_BYTES // 2) as disk:
        monkeypatch.setenv("BAN_RAY_CACHE", str(disk))
        with pytest.raises(UserError, match=rf"70 decoded images of 32x32 .* take 215.0 kB, and {disk} has .* free; "):
            open_images(Source.of("folder", str(data)))
        assert not [path for path in disk.rglob("*") if path.suffix in (".npy", ".json")]
        assert len(open_images(Source.of("folder", str(data), image_size=16)).train.labels) == 60


def test_a_disk_that_fills_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search_here: Command) -> None:
    data = write_images(tmp_path / "data", TRAIN, TEST, names=NAMES)
    with mounted(tmp_path / "disk", NUM_BYTES + 2**16) as disk:
        monkeypatch.setenv("BAN_RAY_CACHE", str(disk))
        ballast, real = disk / "ballast", ImageFile.write

        def write(self: ImageFile, row: int, image: object) -> None:
            if row == 3:
                ballast.write_bytes(bytes(2**17))
            real(self, row, image)  # type: ignore[arg-type]

        monkeypatch.setattr(ImageFile, "write", write)
        arguments = ("--space", "chain", "--network", "densenet-bc-10-4", "--batch-size", "8", "--plan")
        run = search_here(*arguments, "--task", "folder", "--data", str(data))
        assert run.status == 2
        assert run.err.startswith("Error: the data of task folder cannot be cached: [Errno 28] No space left on device")
        assert not list(disk.glob(f"{cache._SCRATCH}*"))
        assert not list(disk.rglob("*.json")), "nothing is taken for whole"
        ballast.unlink()
        monkeypatch.setattr(ImageFile, "write", real)
        assert search_here(*arguments, "--task", "folder", "--data", str(data)).status == 0


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path))
    command = [sys.executable, "-c", WRITE]
    killed, living = (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    )
    for process in (killed, living):
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
    killed.kill()
    killed.wait()
    before = set(tmp_path.glob(f"{cache._SCRATCH}*"))
    assert len(before) == 2
    with cache.scratch_folder() as scratch:
        left = set(tmp_path.glob(f"{cache._SCRATCH}*")) - {scratch}
        assert len(left & before) == len(left) == 1
        assert all(os.listdir(folder) for folder in left)  # noqa: PTH208
    living.communicate("\n")
    assert living.returncode == 0
    assert not list(tmp_path.glob(f"{cache._SCRATCH}*"))


def test_pictures_of_mixed_sizes_at_224_pixels(tmp_path: Path) -> None:
    """Each as if it were decoded alone, and streamed as if all lay in memory."""
    chance, alone = np.random.default_rng(0), {}
    for part, count in (("train", 24), ("test", 6)):
        for number in range(count):
            height, width = chance.integers(180, 400, 2)
            file = tmp_path / part / NAMES[number % 2] / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(chance.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file)
            with open_image(file, str(file)) as image:
                alone[part, np.asarray(center_crop_resize(decode(image, 3), 224, 224)).tobytes()] = number % 2
    dataset = open_images(Source.of("folder", str(tmp_path), image_size=224))
    for name, arrays in (("train", dataset.train), ("test", dataset.test)):
        for image, label in zip(arrays.images, arrays.labels, strict=True):
            assert alone.pop((name, image.tobytes())) == label
    assert not alone
    task = Task(name="folder", fingerprint=dataset.fingerprint)
    held, streamed = (load_images(task, dataset, CPU, held=each) for each in (True, False))
    generation = generation_of(dataset, batch_size=8)
    batches = (data.training_batches(generation, 0, slice(0, 8)) for data in (held, streamed))
    for one, other in zip(*batches, strict=True):
        assert one.inputs.shape == (8, 3, 224, 224)
        assert torch.equal(one.inputs, other.inputs)


def test_progress_is_shown_on_a_terminal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_QUIET_S", 0.0)
    write_images(tmp_path, TRAIN, TEST, names=NAMES)
    for size, terminal in ((20, False), (24, True)):
        if terminal:
            monkeypatch.setattr(progress, "Console", partial(Console, force_terminal=True, width=150))
        open_images(Source.of("folder", str(tmp_path), image_size=size))
        out, err = capfd.readouterr()
        assert not out
        assert ("Decoding 70 images to 121.0 kB on disk" in err) == terminal
        assert ("70/70" in err) == terminal
        assert terminal or not err
