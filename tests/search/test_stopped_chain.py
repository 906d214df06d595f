"""A real chain stopped in training: its CPUs are free again within seconds, and nothing of it stays behind."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ban_ray import cluster
from ban_ray.chain import Trial
from ban_ray.cluster.abandoned import freed
from ban_ray.population import Population, checkpoints, claims, open_storage
from ban_ray.search.agenda import Agenda
from ban_ray.search.desk import Desk
from ban_ray.search.endings import Ending
from ban_ray.search.judge import Judge
from ban_ray.search.leftovers import Leftovers
from ban_ray.search.options import Options
from ban_ray.search.request import Planned, resolve
from tests.search.conftest import write_space

pytestmark = pytest.mark.ray

EPOCHS = 2000
"""Minutes of training, so that the chain cannot end by itself."""


class StopsInTraining(Judge):
    """Stops the first chain at its third epoch that is told of."""

    def __init__(self) -> None:
        super().__init__(patience=2, min_gain=0, sizes=lambda _: (), history=lambda _: [])
        self.heard = 0
        self.stopped_at = 0.0

    def hear(self, planned: Planned, record: Mapping[str, Any]) -> Ending | None:
        self.heard += "epoch" in record
        if self.heard < 3:
            return None
        self.stopped_at = time.monotonic()
        return Ending("stopped", "by the test")


@pytest.fixture
def ray_cluster(tmp_path: Path) -> Iterator[cluster.Cluster]:
    # Workers find the tests' cache of decoded data.
    assert os.environ["BAN_RAY_CACHE"]
    yield cluster.connect(None, "test")
    cluster.disconnect()


def test_its_cpus_are_free_and_it_leaves_nothing(ray_cluster: cluster.Cluster, tmp_path: Path) -> None:
    import ray

    from ban_ray.search.run import run

    asked = resolve(Options(write_space(tmp_path, epochs=EPOCHS), seeds=(0,)))
    planned = asked.chains[0]
    population = Population(open_storage(str(tmp_path / "runs")))
    judge, ended = StopsInTraining(), []
    leftovers = Leftovers(population)

    def make_trial(one: Planned, number: int) -> Trial:
        return Trial(
            chain=one.chain,
            source=asked.source,
            storage=str(tmp_path / "runs"),
            folder=str(tmp_path / "ray"),
            search="s",
            number=number,
            title=one.slug,
        )

    def end(one: Planned, ending: Ending) -> None:
        ended.append(ending)
        leftovers.add(one, "s-1-")

    desk = Desk(Agenda([planned], missing=lambda _: 2), judge, make_trial, lambda *_: None, end)
    run(desk, concurrent=1, folder=str(tmp_path / "tune"), name="s", stopping=True)
    assert [ending.kind for ending in ended] == ["stopped"]
    with freed():
        while ray.available_resources().get("CPU", 0) < ray_cluster.cpus:
            assert time.monotonic() - judge.stopped_at < 60, "its workers hold their CPUs"
            time.sleep(0.05)
    freed_s = time.monotonic() - judge.stopped_at
    print(f"CPUs free after {freed_s:.2f} s")
    key = planned.chain.keys[0]
    assert list(checkpoints.newest_first(population.storage, key)), "it was in training"
    time.sleep(2)
    leftovers.sweep(older_s=0)
    assert not list(checkpoints.newest_first(population.storage, key))
    _, record = claims.holder(population.storage, key)
    assert record is None or record["released"] is True or claims.take(population.storage, key, "other") is not None
