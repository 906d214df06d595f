"""Fixtures of all tests: one thread, a cache of their own, the embedded task."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import hypothesis
import pytest
import torch
from click.testing import CliRunner

from ban_ray.population import Population, open_storage
from ban_ray.runtime.worker.checkpointer import AsyncCheckpointer
from ban_ray.specs import Generation, Objective, Recipe, Task
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageDataset
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from tests.helpers.command import Command, Run
from tests.helpers.texts import make_text, text_data, text_folder  # noqa: F401

torch.set_num_threads(1)
# Workers of pytest-xdist have the width of a terminal, and commands would break their lines at it.
os.environ.pop("COLUMNS", None)

# Ray's workers would give way to the tests that run beside them.
os.environ.setdefault("RAY_worker_niceness", "0")

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("repeatable")

CPU = torch.device("cpu")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Long bytes are named by their number: compressed ones hold the time; every process must find the same names."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and len(val) > 8 else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a Ray cluster run one after another, also where several processes share the tests."""
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded data of this run alone, so that no earlier run's files are read."""
    folder = tmp_path_factory.mktemp("decoded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "BAN_RAY_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Workers set the number of threads of their process, which here is the tests'."""
    yield
    torch.set_num_threads(1)


# Workers of pytest-xdist have the width of a terminal, and commands would break their lines at it.
os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session")
def digits(cache: Path) -> ImageDataset:
    dataset = open_source(Source(name="digits"))
    assert isinstance(dataset, ImageDataset)
    return dataset


@pytest.fixture(scope="session")
def task(digits: ImageDataset) -> Task:
    return Task(name="digits", fingerprint=digits.fingerprint)


@pytest.fixture(scope="session")
def data(digits: ImageDataset, task: Task) -> ImageData:
    """300 training, 100 held-out and 1,397 test images; nothing in it is ever written to."""
    return load_images(task, digits, CPU)


@pytest.fixture
def every_epoch_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers in this process wait for each epoch's checkpoint, where they else pass some over."""
    monkeypatch.setattr(AsyncCheckpointer, "save_if_due", AsyncCheckpointer.save_and_wait)


MakeGeneration = Callable[..., Generation]


@pytest.fixture(scope="session")
def make_generation(task: Task) -> MakeGeneration:
    """A tiny generation: fields of the recipe, the objective and the generation itself by name."""

    def make(objective: str = "label", **fields: object) -> Generation:
        recipe = {name: fields.pop(name) for name in list(fields) if name in Recipe.model_fields}
        return Generation.model_validate(
            {
                "task": task,
                "network": "densenet-bc-10-4",
                "recipe": Recipe.model_validate({"epochs": 2, "batch_size": 60, **recipe}),
                "objective": Objective.parse(objective),
                "seed": 1,
                **fields,
            }
        )

    return make


@pytest.fixture
def population(tmp_path: Path) -> Population:
    """An empty population in a storage of its own."""
    return Population(open_storage(str(tmp_path / "storage")))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of commands: a cache of their own, so that no earlier run is read."""
    return {**os.environ, "BAN_RAY_CACHE": str(tmp_path_factory.mktemp("cache")), "COLUMNS": "200"}


@pytest.fixture
def search(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Run ``python -m ban_ray.search`` with arguments as a user does: a process of its own, from an empty folder."""

    def run(*arguments: str, timeout_s: float = 240) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "ban_ray.search", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def search_here(tmp_path: Path) -> Command:
    """The same within this process, for what ends before Ray is started; an error that leaves the command is raised."""

    def run(*arguments: str) -> Run:
        from ban_ray.search.__main__ import main

        with chdir(tmp_path):
            result = CliRunner(env={"COLUMNS": "200"}).invoke(main, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run
