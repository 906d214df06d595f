"""A disk that fills under a worker: one sentence, and no further start of the worker group."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ban_ray.population import Population, claims
from ban_ray.runtime.events import EpochEnded
from ban_ray.specs import Chain, Objective, Recipe, Task, born_again
from ban_ray.storage.opening import open_storage
from tests.helpers.local_jobs import run_job
from tests.helpers.small_disk import fill, mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", 4 << 20) as place:
        yield place


@pytest.fixture
def chain(task: Task) -> Chain:
    return born_again(
        task, "densenet-bc-10-4", Recipe(epochs=3, batch_size=100), Objective(name="ban"), seed=0, generations=0
    )


def fill_after_the_first_epoch(disk: Path) -> Callable[[object], None]:
    def report(event: object) -> None:
        if isinstance(event, EpochEnded) and event.metrics["epoch"] == 1:
            fill(disk)

    return report


@pytest.mark.usefixtures("every_epoch_kept")
def test_a_training_ends_with_the_searchs_own_sentence(disk: Path, chain: Chain) -> None:
    population = Population(open_storage(str(disk / "storage")))
    outcome = run_job(population, *chain.generations, report=fill_after_the_first_epoch(disk))
    assert outcome.status == "failed"
    assert outcome.message.startswith("a file could not be read or written: [Errno 28] No space left on device")
    assert outcome.message.endswith("; what was published stays, and the same command goes on from here")

    again = run_job(population, *chain.generations)
    assert again.status == "failed", "a worker group that is started anew cannot claim the generation either"
    assert "No space left on device" in again.message

    (disk / "ballast").unlink()
    assert claims.current(population.storage, chain.keys[0])[0] >= 1
    assert run_job(population, *chain.generations).status == "done"
    assert chain.keys[0] in population
