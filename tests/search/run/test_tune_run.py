"""A real chain stopped in training: its CPUs are free again within seconds, and nothing of it stays behind."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ban_ray import cluster
from ban_ray.cluster.orphaned_groups import reap_orphans
from ban_ray.population import Population, checkpoints, claims, open_storage
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.runtime.trial import TrialSpec
from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.run.cleanup import StoppedChainCleanup
from ban_ray.search.schedule.controller import SearchController
from ban_ray.search.schedule.early_stopping import EarlyStopping
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue
from tests.benchmarks import simulator
from tests.benchmarks.simulator import Simulator
from tests.search.conftest import write_space

pytestmark = pytest.mark.ray

SIMULATED = str(Path(simulator.__file__).with_name("simulated_space.py"))
EPOCHS = 2000
"""Minutes of training, so that the chain cannot end by itself."""


class StopsInTraining(EarlyStopping):
    """Stops the first chain at its third epoch that is told of."""

    def __init__(self) -> None:
        super().__init__(patience=2, min_gain=0, sizes=lambda _: (), history=lambda _: [])
        self.heard = 0
        self.stopped_at = 0.0
        self.shown: dict[str, Shown] = {}

    def hear(self, planned: PlannedChain, record: Mapping[str, Any]) -> ChainOutcome | None:
        self.heard += "epoch" in record
        if self.heard < 3:
            return None
        self.shown = shown()
        self.stopped_at = time.monotonic()
        return ChainOutcome("stopped", "by the test")


@dataclass(frozen=True)
class Shown:
    """An actor: its name on the dashboard's page, its process's environment, and whether that has PyTorch."""

    name: str
    environment: str
    has_torch: bool


def shown() -> dict[str, Shown]:
    """By class, what is on the dashboard's page of actors."""
    import ray
    from ray.util.state import list_actors

    actors = list_actors(address=ray.get_runtime_context().gcs_address, detail=True, filters=[("state", "=", "ALIVE")])
    found = {}
    for actor in actors:
        process = Path(f"/proc/{actor.pid}")
        found[actor.class_name] = Shown(
            actor.repr_name, (process / "environ").read_text(), "libtorch" in (process / "maps").read_text()
        )
    return found


class StopsTheSecond(EarlyStopping):
    """Stops the second chain that it hears of at its first report."""

    def __init__(self) -> None:
        super().__init__(patience=2, min_gain=0, sizes=lambda _: (), history=lambda _: [])
        self.heard: list[str] = []

    def hear(self, planned: PlannedChain, record: Mapping[str, Any]) -> ChainOutcome | None:
        if planned.slug not in self.heard:
            self.heard.append(planned.slug)
        return ChainOutcome("stopped", "by the test") if [planned.slug] == self.heard[1:2] else None


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[cluster.Cluster]:
    # Workers find the tests' cache of decoded data.
    assert os.environ["BAN_RAY_CACHE"]
    yield cluster.connect(None, "test")
    cluster.disconnect()


def trials_of(asked: SearchSpec, folder: Path) -> Callable[[PlannedChain, int], TrialSpec]:
    def make(one: PlannedChain, number: int) -> TrialSpec:
        return TrialSpec(
            chain=one.chain,
            source=asked.source,
            storage=str(folder / "runs"),
            folder=str(folder / "ray"),
            execution="s",
            chain_number=number,
            title=one.slug,
        )

    return make


def test_its_cpus_are_free_and_it_leaves_nothing(ray_cluster: cluster.Cluster, tmp_path: Path) -> None:
    import ray

    from ban_ray.search.run.tune_run import run_trials

    asked = resolve(Options(write_space(tmp_path, epochs=EPOCHS), seeds=(0,)))
    planned = asked.chains[0]
    population = Population(open_storage(str(tmp_path / "runs")))
    judge, ended = StopsInTraining(), []
    leftovers = StoppedChainCleanup(population)

    def end(one: PlannedChain, ending: ChainOutcome) -> None:
        ended.append(ending)
        leftovers.add(one, "s-1-")

    agenda = ChainQueue([planned], missing=lambda _: 2)
    desk = SearchController(agenda, judge, trials_of(asked, tmp_path), lambda *_: None, end)
    run_trials(desk, concurrent=1, folder=str(tmp_path / "tune"), name="s")
    assert [ending.kind for ending in ended] == ["stopped"]
    driver, worker = judge.shown["ChainDriver"], judge.shown["RayTrainWorker"]
    assert driver.name == "s"
    assert worker.name.startswith(f"s {planned.slug}-")
    # Only the worker pays for PyTorch, and it keeps the memory that it freed.
    assert [what for what, one in judge.shown.items() if one.has_torch] == ["RayTrainWorker"]
    for name, value in MALLOC_ENVIRONMENT.items():
        assert f"{name}={value}\0" in worker.environment
        assert name not in driver.environment
    with reap_orphans():
        while ray.available_resources().get("CPU", 0) < ray_cluster.cpus:
            assert time.monotonic() - judge.stopped_at < 10, "its workers hold their CPUs"
            time.sleep(0.05)
    freed_s = time.monotonic() - judge.stopped_at
    print(f"CPUs free after {freed_s:.2f} s")
    key = planned.chain.keys[0]
    assert list(checkpoints.newest_first(population.storage, key)), "it was in training"
    time.sleep(2)
    leftovers.sweep(min_age_s=0)
    assert not list(checkpoints.newest_first(population.storage, key))
    _, record = claims.current(population.storage, key)
    assert record is None or record["released"] is True or claims.acquire(population.storage, key, "other") is not None


def test_the_next_chain_takes_over_the_driver_of_one_that_is_done(ray_cluster: cluster.Cluster, tmp_path: Path) -> None:
    from ban_ray.search.run.tune_run import run_trials

    asked = resolve(Options(SIMULATED, seeds=(0,), samples=5))
    sizes = ({"depth": 40, "growth": growth, "compression": 0.5} for growth in (12, 14, 16, 18, 20))
    chains = [asked.chains_of(configuration)[0] for configuration in sizes]
    endings: dict[str, str] = {}

    def end(one: PlannedChain, ending: ChainOutcome) -> None:
        endings[one.slug] = ending.status

    population = Population(open_storage(str(tmp_path / "runs")))
    agenda = ChainQueue(chains, missing=lambda _: 4)
    desk = SearchController(agenda, StopsTheSecond(), trials_of(asked, tmp_path), lambda *_: None, end)
    run_trials(desk, concurrent=1, folder=str(tmp_path / "tune"), name="s", train=Simulator(noise=0.3))
    assert [endings[one.slug] for one in chains] == ["done", "stopped", "done", "done", "done"]
    drivers = [{population[key].provenance["process"] for key in one.chain.keys if key in population} for one in chains]
    assert len(drivers[0]) == 1
    assert drivers[2] == drivers[3] == drivers[4] != drivers[0], "and nobody takes over that of a stopped one"
