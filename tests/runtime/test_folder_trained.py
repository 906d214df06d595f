"""Each kind of source through a worker to a published member, whose record reads back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ban_ray.population import Population, open_storage
from ban_ray.runtime.messages import TrainingJob
from ban_ray.runtime.worker import train_generations
from ban_ray.specs import Objective, Recipe, Task, born_again
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from tests.helpers.jobs import make_job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    for part, count in (("train", 30), ("test", 8)):
        for name in ("cats", "dogs"):
            place = tmp_path / "pictures" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 256, (12, 14, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path / "pictures"


def test_a_folder_of_images(folder: Path, tmp_path: Path) -> None:
    source = Source.of("folder", str(folder), image_size="8x10")
    task = Task(name="folder", fingerprint=open_source(source).fingerprint)
    chain = born_again(
        task, "densenet-bc-10-4", Recipe(epochs=1, batch_size=18), Objective(name="ban+l"), seed=0, generations=1
    )
    order = make_job(open_storage(str(tmp_path / "runs")).url, *chain.generations, source=source)
    outcome = train_generations(
        TrainingJob.model_validate_json(order.model_dump_json()), torch.device("cpu"), lambda _: None
    )
    assert outcome.status == "done", outcome.message
    population = Population(open_storage(str(tmp_path / "runs")))
    for key in chain.keys:
        recorded = population[key].provenance["source"]
        assert Source.model_validate(recorded) == source
        assert population[key].provenance["num_classes"] == 2
