"""Chains through Tune: their processes and workers are reused, and a stopped one leaves nothing."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ban_ray import cluster
from ban_ray.cluster.orphaned_groups import reap_orphans
from ban_ray.population import Population, checkpoints, claims, open_storage
from ban_ray.runtime.events import EpochEnded, Event
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.runtime.messages import TrialSpec
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.run.cleanup import EndedEarlyCleanup
from ban_ray.search.schedule.controller import ChainCallback, SearchController
from ban_ray.search.schedule.early_stopping import StoppingRule
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue
from tests.benchmarks.simulator import Simulator
from tests.helpers.command import write_space
from tests.helpers.jobs import make_trial, train_job
from tests.helpers.local_jobs import stored_bytes
from tests.helpers.simulated import simulated_search

pytestmark = pytest.mark.ray

EPOCHS = 2000
"""Minutes of training, so that the chain cannot end by itself."""
STOPPED = ChainOutcome("pruned", "by the test")


@dataclass(frozen=True)
class Actor:
    """An actor: its name on the dashboard's page, its process's environment, and whether that has PyTorch."""

    name: str
    environment: str
    has_torch: bool


def living_actors() -> dict[str, Actor]:
    """What is on the dashboard's page of actors, by class."""
    import ray
    from ray.util.state import list_actors

    actors = list_actors(address=ray.get_runtime_context().gcs_address, detail=True, filters=[("state", "=", "ALIVE")])
    by_class = {}
    for actor in actors:
        process = Path(f"/proc/{actor.pid}")
        by_class[actor.class_name] = Actor(
            actor.repr_name, (process / "environ").read_text(), "libtorch" in (process / "maps").read_text()
        )
    return by_class


def running_tasks() -> set[str]:
    """Names of what is running on the dashboard's page of tasks."""
    import ray
    from ray.util.state import list_tasks

    address = ray.get_runtime_context().gcs_address
    return {task.name for task in list_tasks(address=address, filters=[("state", "=", "RUNNING")], limit=1000)}


def workers_ever_started() -> int:
    import ray
    from ray.util.state import list_actors

    address, job = ray.get_runtime_context().gcs_address, ray.get_runtime_context().get_job_id()
    filters = [("class_name", "=", "RayTrainWorker"), ("job_id", "=", job)]
    return len(list_actors(address=address, filters=filters, limit=1000))


class StopInTraining(StoppingRule):
    """Stops the first chain at its third reported epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.num_epochs = 0
        self.stopped_at = 0.0
        self.actors: dict[str, Actor] = {}
        self.tasks: set[str] = set()

    def on_event(self, planned: PlannedChain, event: Event) -> ChainOutcome | None:
        self.num_epochs += isinstance(event, EpochEnded)
        if self.num_epochs < 3:
            return None
        if self.num_epochs == 3:
            self.actors, self.tasks = living_actors(), running_tasks()
            self.stopped_at = time.monotonic()
        return STOPPED


class StopTheSecond(StoppingRule):
    """Stops the second chain of which there is an event, at its first event."""

    def __init__(self) -> None:
        super().__init__()
        self.chains: list[str] = []

    def on_event(self, planned: PlannedChain, event: Event) -> ChainOutcome | None:
        if planned.slug not in self.chains:
            self.chains.append(planned.slug)
        return STOPPED if [planned.slug] == self.chains[1:2] else None


class Outcomes(ChainCallback):
    """How and when each chain has ended, by its name."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.ended_at: dict[str, float] = {}

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        self.status[planned.slug] = outcome.status
        self.ended_at[planned.slug] = time.monotonic()


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[cluster.Cluster]:
    # Workers find the tests' cache of decoded data.
    assert os.environ["BAN_RAY_CACHE"]
    yield cluster.connect(None, "test")
    cluster.disconnect()


def make_controller(
    chains: Sequence[PlannedChain],
    stopping: StoppingRule,
    population: Population,
    folder: Path,
    callbacks: Sequence[ChainCallback],
    on_trial: Callable[[PlannedChain, TrialSpec], None] = lambda planned, trial: None,
) -> SearchController:
    def trial_of(planned: PlannedChain, number: int) -> TrialSpec:
        trial = make_trial(
            planned.chain,
            population.storage.url,
            name=planned.slug,
            ray_folder=str(folder / "ray"),
            number=number,
            execution_name=folder.name,
        )
        on_trial(planned, trial)
        return trial

    queue = ChainQueue(chains, count_missing=lambda planned: len(planned.chain.keys))
    return SearchController(queue, stopping, trial_of, callbacks)


def test_a_stopped_chain_frees_its_cpus_and_leaves_nothing(
    ray_cluster: cluster.Cluster, tmp_path: Path, population: Population
) -> None:
    import ray

    from ban_ray.search.run.tune_run import run_trials

    spec = resolve(SearchOptions(space=write_space(tmp_path, epochs=EPOCHS), seeds=(0,)))
    planned = spec.chains[0]
    stopping, outcomes, cleanup = StopInTraining(), Outcomes(), EndedEarlyCleanup(population)
    controller = make_controller([planned], stopping, population, tmp_path, [outcomes, cleanup], cleanup.add_trial)
    run_trials(controller, max_concurrent_chains=1, folder=str(tmp_path / "tune"), execution_name=tmp_path.name)
    assert outcomes.status == {planned.slug: "pruned"}
    trial, worker = stopping.actors["ChainDriver"], stopping.actors["RayTrainWorker"]
    assert trial.name == tmp_path.name
    assert worker.name.startswith(f"{tmp_path.name}-")
    assert planned.slug in stopping.tasks
    answered_s = outcomes.ended_at[planned.slug] - stopping.stopped_at
    print(f"the workers had stopped after {answered_s:.2f} s")
    assert answered_s < 8, "they were asked, and not killed"
    _, record = claims.current(population.storage, planned.chain.keys[0])
    assert record is None or record["released"] is True, "by its workers"
    # Only the worker pays for PyTorch, and it keeps the memory that it freed.
    assert [kind for kind, actor in stopping.actors.items() if actor.has_torch] == ["RayTrainWorker"]
    for name, value in MALLOC_ENVIRONMENT.items():
        assert f"{name}={value}\0" in worker.environment
        assert name not in trial.environment
    with reap_orphans():
        while ray.available_resources().get("CPU", 0) < ray_cluster.cpus:
            assert time.monotonic() - stopping.stopped_at < 15, "its workers hold their CPUs"
            time.sleep(0.05)
    freed_s = time.monotonic() - stopping.stopped_at
    print(f"CPUs free after {freed_s:.2f} s")
    key = planned.chain.keys[0]
    assert list(checkpoints.newest_first(population.storage, key)), "it was in training"
    while "RayTrainWorker" in living_actors():
        assert time.monotonic() - stopping.stopped_at < 20
        time.sleep(0.2)
    cleanup.remove_checkpoints(min_age_s=0)
    assert not list(checkpoints.newest_first(population.storage, key))


def test_the_next_chain_takes_over_the_process_of_one_that_is_done(
    ray_cluster: cluster.Cluster, tmp_path: Path, population: Population
) -> None:
    from ban_ray.search.run.tune_run import run_trials

    spec = simulated_search(generations=3, samples=5)
    sizes = ({"depth": 40, "growth": growth, "compression": 0.5} for growth in (12, 14, 16, 18, 20))
    chains = [spec.chains_of(configuration)[0] for configuration in sizes]
    outcomes = Outcomes()
    controller = make_controller(chains, StopTheSecond(), population, tmp_path, [outcomes])
    run_trials(
        controller,
        max_concurrent_chains=1,
        folder=str(tmp_path / "tune"),
        execution_name=tmp_path.name,
        runner=Simulator(noise=0.3),
    )
    assert [outcomes.status[planned.slug] for planned in chains] == ["done", "pruned", "done", "done", "done"]
    processes = [
        {population[key].provenance["process"] for key in planned.chain.keys if key in population} for planned in chains
    ]
    assert len(processes[0]) == 1
    assert processes[0] == processes[2] == processes[3] == processes[4], "and that of a stopped one too"


@pytest.mark.parametrize("workers", [1, 2])
def test_chains_share_worker_groups_and_give_the_same_bytes(
    ray_cluster: cluster.Cluster, tmp_path: Path, population: Population, workers: int
) -> None:
    """One of them is stopped; the bytes are those of chains that are trained in a process of their own."""
    from ban_ray.search.run.tune_run import run_trials

    options = SearchOptions(space=write_space(tmp_path), workers=workers, batch_size=60, seeds=(0, 1, 2))
    chains = resolve(options).chains
    assert len(chains) >= 6
    outcomes, before = Outcomes(), workers_ever_started()
    controller = make_controller(chains, StopTheSecond(), population, tmp_path, [outcomes])
    run_trials(
        controller, max_concurrent_chains=2 // workers, folder=str(tmp_path / "tune"), execution_name=tmp_path.name
    )
    assert len(outcomes.status) == len(chains)
    assert set(outcomes.status.values()) == {"done", "pruned"}
    assert workers_ever_started() - before == 2
    if workers == 1:
        alone = Population(open_storage(str(tmp_path / "alone")))
        for planned in chains[:3]:
            if outcomes.status[planned.slug] == "done":
                train_job(alone, planned.chain.generations)
        assert alone.keys()
        for key in alone.keys():  # noqa: SIM118
            assert stored_bytes(alone, key) == stored_bytes(population, key)


def test_a_chain_of_another_shape_has_a_group_of_its_own(
    ray_cluster: cluster.Cluster, tmp_path: Path, population: Population
) -> None:
    """The group before it gives its CPUs back, or neither would ever start."""
    from ban_ray.search.run.tune_run import run_trials

    space = write_space(tmp_path)
    one, two = (
        resolve(SearchOptions(space=space, workers=workers, batch_size=60, seeds=(0,))).chains[:2] for workers in (1, 2)
    )
    outcomes, before = Outcomes(), workers_ever_started()
    chains = [one[0], two[0], two[1], one[1]]
    controller = make_controller(chains, StoppingRule(), population, tmp_path, [outcomes])
    run_trials(controller, max_concurrent_chains=2, folder=str(tmp_path / "tune"), execution_name=tmp_path.name)
    assert set(outcomes.status.values()) == {"done"}
    assert all(key in population for planned in chains for key in planned.chain.keys)
    # Which process gets which chain depends on time.
    assert 3 <= workers_ever_started() - before <= 6
