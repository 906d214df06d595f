"""A population in a bucket, on a real server."""

import threading
from pathlib import Path

import pytest
import torch

from ban_ray.population import Member, Population, checkpoints, claims, find_storage, open_storage
from ban_ray.population.maintenance.verify import verify
from ban_ray.runtime.events import EpochEnded, Event
from ban_ray.runtime.worker import JobTrainer
from ban_ray.specs import Objective, Recipe, Task, born_again
from tests.helpers.jobs import make_job
from tests.helpers.members import add

KEY = "0" * 64


def test_two_writers_race_to_publish(s3: str) -> None:
    for seed in range(4):
        barrier = threading.Barrier(2)
        made: list[Member] = []

        def run(bits: int, seed: int = seed, barrier: threading.Barrier = barrier, made: list[Member] = made) -> None:
            population = Population(open_storage(s3))
            barrier.wait()
            made.append(add(population, seed, bits=bits))

        threads = [threading.Thread(target=run, args=(bits,)) for bits in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made[0] == made[1], "the loser goes on with the winner's"
        population = Population(open_storage(s3))
        assert population[made[0].key] == made[0]
        named = sorted(["member.json", *(file.name for file in made[0].files)])
        assert population.storage.list(f"population/{made[0].key}") == named, "the loser's files are gone"
    assert verify(population, grace_s=0).findings == ()
    assert len(population.keys()) == len(population.records()) == 4


def test_claims(s3: str) -> None:
    here, there = open_storage(s3), open_storage(s3)
    claim = claims.acquire(here, KEY, "one")
    assert claim is not None
    assert claims.acquire(there, KEY, "two") is None
    claim.release()
    assert claims.wait(there, KEY, lambda: False, poll_s=0.01) == 0
    second = claims.acquire(there, KEY, "two")
    assert second is not None
    assert claims.current(here, KEY)[0] == 2
    second.end()
    assert claims.current(here, KEY) == (0, None)


def test_checkpoints(s3: str) -> None:
    storage = open_storage(s3)
    for epoch in (1, 2, 3):
        checkpoints.save(storage, KEY, "one", epoch, f"state {epoch}".encode())
    checkpoints.save(storage, KEY, "two", 9, b"state 9")
    assert list(checkpoints.newest_first(open_storage(s3), KEY)) == [(9, b"state 9"), (3, b"state 3"), (2, b"state 2")]
    checkpoints.clear(storage, KEY)
    assert list(checkpoints.newest_first(storage, KEY)) == []


class Killed(BaseException):
    """Ends a training as a signal would."""


@pytest.mark.usefixtures("every_epoch_kept")
def test_a_training_resumes_to_the_same_bits(s3: str, tmp_path: Path, task: Task) -> None:
    recipe = Recipe(epochs=3, batch_size=100)
    chain = born_again(task, "densenet-bc-10-4", recipe, Objective(name="ban"), seed=0, generations=1)
    reports: list[Event] = []

    def run(storage: str, kill_after: int = 99) -> None:
        seen: list[Event] = []

        def report(event: Event) -> None:
            seen.append(event)
            reports.append(event)
            if len(seen) == kill_after:
                raise Killed

        order = make_job(storage, *chain.generations)
        assert JobTrainer(torch.device("cpu"), report).train(order).status == "done"

    with pytest.raises(Killed):
        run(s3, kill_after=6)
    reports.clear()
    run(s3)
    assert [event.epoch for event in reports if isinstance(event, EpochEnded)] == [3], (
        "goes on after epoch 2 of generation 1"
    )
    run(str(tmp_path))
    disk, bucket = Population(open_storage(str(tmp_path))), Population(find_storage(s3))
    for key in chain.keys:
        assert bucket[key].weights == disk[key].weights
        assert bucket[key].predictions == disk[key].predictions
    assert verify(bucket, grace_s=0).findings == ()
    assert bucket.storage.list("claims") == bucket.storage.list("unfinished") == []
