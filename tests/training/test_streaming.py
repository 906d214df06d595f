"""Images that are read from the disk as needed: the bits of those in memory, and one sentence when that fails."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.population import Population
from ban_ray.runtime.events import EpochEnded
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks import image_data
from ban_ray.tasks.decoded import memory
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.training import train
from tests.conftest import CPU, MakeGeneration
from tests.helpers.image_files import random_pictures, write_images
from tests.helpers.local_jobs import run_job
from tests.helpers.training_spies import a_teacher, same_training, train_with_states

AUGMENTATIONS = (
    "default",
    "none",
    "flip",
    "default+erase:p=0.7",
    "default+trivial",
    "flip+resized-crop+rand",
    "default+mixup+cutmix",
)


@pytest.fixture(scope="module")
def streamed(digits: ImageDataset, task: Task) -> ImageData:
    return load_images(task, digits, CPU, held=False)


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageData, ImageData]:
    """Pictures with a validation part, in memory and streamed."""
    pictures = {name: random_pictures(count, side=12, seed=count) for name, count in (("train", 90), ("test", 300))}
    folder = tmp_path_factory.mktemp("colour")
    write_images(folder, pictures["train"], pictures["test"], more={"val": random_pictures(20, side=12)})
    dataset = open_source(Source.of("folder", str(folder)))
    assert isinstance(dataset, ImageDataset)
    task = Task(name="folder", fingerprint=dataset.fingerprint)
    held, streamed = (load_images(task, dataset, CPU, held=held) for held in (True, False))
    assert torch.equal(held.train.images, torch.from_numpy(dataset.train.images[:90].copy()))
    assert streamed.train.images.numel() == 0
    assert len(streamed.train) == len(held.train) == 90
    return held, streamed


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("worker_slice", [slice(0, 20), slice(5, 10)])
def test_training_batches(colour: tuple[ImageData, ImageData], augmentation: str, worker_slice: slice) -> None:
    held, streamed = colour
    generation = Generation(
        task=Task(name="folder", fingerprint="0" * 64),
        network="densenet-bc-10-4",
        recipe=Recipe(epochs=2, batch_size=20, augmentation=augmentation),
        objective=Objective(name="label"),
        seed=3,
    )
    count = 0
    for epoch in range(2):
        batches = (data.training_batches(generation, epoch, worker_slice) for data in colour)
        for one, other in zip(*batches, strict=True):
            count += 1
            assert torch.equal(one.inputs, other.inputs)
            assert one.inputs.stride() == other.inputs.stride()
            assert torch.equal(one.labels, other.labels)
            assert (one.views is None) == (other.views is None)
            assert one.views is None or torch.equal(one.views, other.views)
            assert (one.mixed is None) == (other.mixed is None)
            if one.mixed is not None and other.mixed is not None:
                assert all(torch.equal(a, b) for a, b in zip(one.mixed, other.mixed, strict=True))
    assert count == 8
    assert torch.equal(held.scale, streamed.scale)
    assert torch.equal(held.shift, streamed.shift)


def test_evaluation_batches(colour: tuple[ImageData, ImageData]) -> None:
    held, streamed = colour
    for name in ("train", "held_out", "test"):
        batches = [list(data.evaluation_batches(getattr(data, name))) for data in (held, streamed)]
        assert len(batches[0]) == len(batches[1]) == (2 if name == "test" else 1)
        for one, other in zip(*batches, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"micro_batches": 4, "averaging": "swa", "swa_start": 0.0, "augmentation": "default+mixup"},
        {"teacher_outputs": "cached"},
    ],
)
def test_a_training_and_its_resume(
    data: ImageData, streamed: ImageData, make_generation: MakeGeneration, recipe: dict[str, Any]
) -> None:
    generation = make_generation("ban+l", epochs=2, batch_size=60, teachers=("1" * 64,), **recipe)
    teacher = a_teacher(data)
    whole, _ = train_with_states(generation, data, teacher)
    again, states = train_with_states(generation, streamed, teacher)
    assert same_training(whole, again)
    resumed = train(generation, teacher, streamed, CPU, state=states[0])
    assert same_training(whole, resumed)


def test_the_threads_end_with_a_training_that_is_stopped(streamed: ImageData, make_generation: MakeGeneration) -> None:
    steps = []

    def stop() -> None:
        steps.append([thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")])
        if len(steps) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError) as caught:
        train(make_generation(batch_size=20), None, streamed, CPU, before_step=stop)
    assert caught.traceback
    assert all(steps), "there were some"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def pictures_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Source, Generation, Path]:
    """A source whose images are streamed, a generation of two epochs, and the folder of the decoded images."""
    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(memory, "MAX_DATA_FRACTION", 0.0)
    write_images(tmp_path / "data", random_pictures(90, side=12, seed=1), random_pictures(20, side=12, seed=2))
    source = Source.of("folder", str(tmp_path / "data"))
    dataset = open_source(source)
    generation = Generation(
        task=Task(name="folder", fingerprint=dataset.fingerprint),
        network="densenet-bc-10-4",
        recipe=Recipe(epochs=2, batch_size=10),
        objective=Objective(name="label"),
        seed=1,
    )
    return source, generation, tmp_path / "cache" / dataset.fingerprint


def after_an_epoch(action: Callable[[], object]) -> Callable[[object], None]:
    def report(event: object) -> None:
        if isinstance(event, EpochEnded) and event.metrics["epoch"] == 1:
            action()

    return report


def test_a_folder_that_is_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, population: Population
) -> None:
    """The files stay open; a later job decodes them again."""
    source, generation, folder = pictures_of(tmp_path, monkeypatch)
    report = after_an_epoch(lambda: shutil.rmtree(folder))
    assert run_job(population, generation, data_source=source, report=report).status == "done"
    assert not folder.exists()
    other = generation.model_copy(update={"seed": 2})
    assert run_job(population, other, data_source=source).status == "done"
    assert folder.is_dir()


def test_a_file_that_is_cut_short_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, population: Population
) -> None:
    source, generation, folder = pictures_of(tmp_path, monkeypatch)

    def cut() -> None:
        with (folder / "train.npy").open("r+b") as file:
            file.truncate(5000)

    outcome = run_job(population, generation, data_source=source, report=after_an_epoch(cut))
    assert outcome.status == "failed"
    assert outcome.message.startswith("a file could not be read or written: ")
    assert f"the file of decoded images has been truncated: '{folder / 'train.npy'}'" in outcome.message
    assert generation.key not in population
    with pytest.raises(UserError, match=rf"decoded data in {folder} are damaged .* without this folder they are dec"):
        open_source(source)
    shutil.rmtree(folder)
    assert run_job(population, generation, data_source=source, execution_name="another").status == "done"


def test_memory_decides(digits: ImageDataset, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    assert digits.num_bytes == 1797 * 64
    for free, streamed in ((4 * digits.num_bytes, False), (4 * digits.num_bytes - 4, True)):
        monkeypatch.setattr(image_data, "available_bytes", lambda free=free: free)
        loaded = load_images(task, digits, CPU)
        assert [part.stream is not None for part in (loaded.train, loaded.held_out, loaded.test)] == [streamed] * 3
        assert np.prod(loaded.test.images.shape) == (0 if streamed else 1397 * 64)
