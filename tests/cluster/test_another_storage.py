"""A node that joined a running cluster and has a folder of its own at the storage's path trains nothing there."""

from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.runtime.messages import JobResult, TrainingJob, TrialSpec
from ban_ray.runtime.trial import train_missing_generations
from ban_ray.specs import Task
from ban_ray.storage.identity import mismatch, storage_id
from tests.helpers.jobs import ignore_event, make_trial
from tests.helpers.local_jobs import make_chain, run_job


@pytest.fixture
def here(tmp_path: Path) -> str:
    """Identity of the storage that the search was started with."""
    return storage_id(open_storage(str(tmp_path / "here")))


def trial(storage: Path, task: Task, here: str) -> TrialSpec:
    return make_trial(make_chain(task), str(storage), storage_id=here, ray_folder=str(storage / "ray"))


def not_run(job: TrainingJob, *_: Any, **__: Any) -> JobResult:
    raise AssertionError(f"ran {job}")


def test_a_storage_keeps_its_identity(tmp_path: Path, here: str) -> None:
    storage = open_storage(str(tmp_path / "here"))
    assert storage_id(storage) == here
    assert not mismatch(storage, here)
    assert storage_id(open_storage(str(tmp_path / "there"))) != here


@pytest.mark.parametrize("found", [None, "0" * 32, "\xff"])
def test_a_worker_elsewhere_trains_nothing(tmp_path: Path, task: Task, here: str, found: str | None) -> None:
    population = Population(open_storage(str(tmp_path / "there")))
    if found is not None:
        population.storage.write(".identity", found.encode("latin-1"))
    outcome = run_job(population, *make_chain(task).generations, storage_id=here)
    assert outcome.status == "failed"
    assert str(tmp_path / "there") in outcome.message
    assert here in outcome.message
    assert not population.keys()
    assert not population.storage.list("claims")


def test_a_driver_elsewhere_starts_nothing(tmp_path: Path, task: Task, here: str) -> None:
    open_storage(str(tmp_path / "there"))
    outcome = train_missing_generations(trial(tmp_path / "there", task, here), ignore_event, not_run)
    assert outcome.status == "failed"
    assert here in outcome.message


def test_a_driver_that_finds_no_storage_says_so(tmp_path: Path, task: Task, here: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ban_ray.runtime.trial.PATIENCE_S", 0.0)
        outcome = train_missing_generations(trial(tmp_path / "nowhere", task, here), ignore_event, not_run)
    assert outcome.status == "failed"
    assert str(tmp_path / "nowhere") in outcome.message


def test_where_it_is_the_same_the_worker_trains(tmp_path: Path, task: Task, here: str) -> None:
    population = Population(open_storage(str(tmp_path / "here")))
    chain = make_chain(task)
    assert run_job(population, *chain.generations, storage_id=here) == JobResult(status="done")
    assert population.keys() == sorted(chain.keys)
