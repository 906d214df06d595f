"""A population in a bucket, on a real server."""

import threading
from pathlib import Path

import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.population import Member, Population, checkpoints, claims, find_storage, open_storage
from ban_ray.population.maintenance.verify import verify
from ban_ray.runtime.events import EpochEnded, Event
from ban_ray.runtime.worker import train_generations
from ban_ray.specs import Objective, Recipe, Task, born_again
from ban_ray.storage.opening import absolute
from tests.helpers.jobs import make_job
from tests.helpers.s3_server import ForgetsConditions, make_bucket, serve
from tests.population_store.fabricate import add

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

        def report(event: Event | None) -> None:
            assert event is not None
            seen.append(event)
            reports.append(event)
            if len(seen) == kill_after:
                raise Killed

        order = make_job(storage, *chain.generations)
        assert train_generations(order, torch.device("cpu"), report).status == "done"

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


def test_a_bucket_that_is_not_there(s3: str) -> None:
    for opened in (open_storage, find_storage):
        with pytest.raises(UserError, match="the bucket does not exist; make it first") as caught:
            opened("s3://no-such-bucket/folder")
        assert "\n" not in str(caught.value)


def test_no_credentials(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # Where a machine of Amazon's would be asked for its role.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="AWS_ACCESS_KEY_ID is not set") as caught:
        open_storage(s3)
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_answer(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be written: .*127\.0\.0\.1:9") as caught:
        open_storage(s3)
    assert "\n" not in str(caught.value)


def test_a_server_without_conditional_writes_is_refused(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(ForgetsConditions) as old:
        monkeypatch.setenv("AWS_ENDPOINT_URL", old)
        make_bucket(old, "forgetful")
        with pytest.raises(UserError, match="conditional writes"):
            open_storage("s3://forgetful/x")


@pytest.mark.parametrize("url", ["ftp://x/y", "memory://", "http://127.0.0.1/x", "s3://", "az://container/x"])
def test_what_cannot_be_opened(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UserError) as caught:
        open_storage(url)
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_storages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("runs") == str(tmp_path / "runs")
    assert absolute("s3://bucket/x") == "s3://bucket/x"
    assert open_storage(f"file://{tmp_path}/here").url == str(tmp_path / "here")
