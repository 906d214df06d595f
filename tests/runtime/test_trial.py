"""The way of a trial through its chain: reused, waited for, trained, or failed with a sentence."""

from collections.abc import Callable

import pytest

from ban_ray.cluster import WorkerResources
from ban_ray.population import Population, claims, failures
from ban_ray.runtime import trial as trials
from ban_ray.runtime.events import Event, EventHandler, GenerationEvent, Published, Reused, Waiting
from ban_ray.runtime.messages import JobResult, TrainingJob
from ban_ray.runtime.trial import train_missing_generations
from ban_ray.search.config.spec import PlannedChain
from tests.benchmarks.simulator import Simulator
from tests.helpers.jobs import make_trial
from tests.helpers.simulated import simulated_search, train


class Recorder:
    """Trains by the simulator and writes down each job; an answer may be given in its place."""

    def __init__(self, *answers: Callable[[TrainingJob], JobResult]) -> None:
        self.jobs: list[TrainingJob] = []
        self._answers = list(answers)

    def __call__(
        self, job: TrainingJob, resources: WorkerResources, on_event: EventHandler, *, name: str, folder: str
    ) -> JobResult:
        self.jobs.append(job)
        if self._answers:
            return self._answers.pop(0)(job)
        return Simulator(noise=0.1)(job, resources, on_event, name=name, folder=folder)


@pytest.fixture
def planned() -> PlannedChain:
    """A chain of three generations."""
    return simulated_search(generations=2).chains_of({"depth": 40, "growth": 12, "compression": 0.5})[0]


def run(
    population: Population, planned: PlannedChain, train_function: Recorder
) -> tuple[JobResult, list[tuple[type[Event], object]]]:
    events: list[Event] = []
    trial = make_trial(planned.chain, population.storage.url, number=3)
    result = train_missing_generations(trial, events.append, train_function)
    members = [event for event in events if isinstance(event, Published | Reused | Waiting)]
    return result, [
        (type(event), event.generation if isinstance(event, GenerationEvent) else event.key) for event in members
    ]


def test_members_are_reused_and_the_others_trained(population: Population, planned: PlannedChain) -> None:
    train(population, planned, until=1)
    recorder = Recorder()
    assert run(population, planned, recorder) == (
        JobResult(status="done"),
        [(Reused, 0), (Published, 1), (Published, 2)],
    )
    (job,) = recorder.jobs
    assert (job.first_generation_number, job.generations) == (1, planned.chain.generations[1:])
    assert job.job_id.startswith("s-3-")
    assert run(population, planned, Recorder())[1] == [(Reused, 0), (Reused, 1), (Reused, 2)]


def test_a_claimed_generation_is_waited_for_and_its_events_are_reported_once(
    population: Population, planned: PlannedChain
) -> None:
    def claimed(job: TrainingJob) -> JobResult:
        # The other run publishes before this one waits.
        train(population, planned, until=2)
        return JobResult(status="claimed_elsewhere", key=planned.chain.keys[1])

    recorder = Recorder(claimed)
    result, events = run(population, planned, recorder)
    assert result == JobResult(status="done")
    assert events == [(Waiting, planned.chain.keys[1]), (Reused, 1), (Published, 2)]
    first, second = recorder.jobs
    assert second.expired_claim_numbers == {planned.chain.keys[1]: 0}
    assert first.job_id != second.job_id


def test_a_claim_that_expires_is_named_to_the_next_job(
    population: Population, planned: PlannedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "wait", lambda storage, key, is_settled: 7)
    recorder = Recorder(lambda job: JobResult(status="claimed_elsewhere", key=planned.chain.keys[0]))
    assert run(population, planned, recorder)[0] == JobResult(status="done")
    assert recorder.jobs[1].expired_claim_numbers == {planned.chain.keys[0]: 7}


def test_a_failure_ends_the_trial(population: Population, planned: PlannedChain) -> None:
    failed = JobResult(status="failed", key=planned.chain.keys[1], message="its loss is not finite")
    assert run(population, planned, Recorder(lambda job: failed)) == (failed, [])


def test_a_failure_of_another_run_ends_the_trial_without_a_job(population: Population, planned: PlannedChain) -> None:
    train(population, planned, until=1)
    failures.record(population.storage, planned.chain.keys[1], "non-finite", "its loss is not finite", "another")
    recorder = Recorder()
    result, events = run(population, planned, recorder)
    assert (result.status, result.key) == ("failed", planned.chain.keys[1])
    assert "its loss is not finite" in result.message
    assert events == [(Reused, 0)]
    assert not recorder.jobs


def test_a_storage_that_is_not_found_is_a_sentence(
    planned: PlannedChain, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(trials, "PATIENCE_S", 0.0)
    trial = make_trial(planned.chain, f"{tmp_path}/nowhere")
    recorder = Recorder()
    result = train_missing_generations(trial, lambda event: None, recorder)
    assert (result.status, result.key) == ("failed", planned.chain.keys[0])
    assert f"{tmp_path}/nowhere" in result.message
    assert not recorder.jobs
