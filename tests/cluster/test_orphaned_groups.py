"""Placement groups whose owner is gone give their CPUs back; those in use are left alone."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ban_ray import cluster
from ban_ray.cluster.orphaned_groups import TRIAL_ACTOR_CLASS, OrphanedPlacementGroups, reap_orphans

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def connected() -> Iterator[cluster.Cluster]:
    yield cluster.connect(None, namespace="ban_ray")
    cluster.disconnect()


def owner() -> Any:
    """An actor that makes a placement group of one CPU, as Train's controller does."""
    import ray

    class Worker:
        def here(self) -> bool:
            return True

    worker: Any = ray.remote(num_cpus=0)(Worker)

    class Owner:
        def make(self, occupied: bool) -> str:
            from ray.util.placement_group import placement_group
            from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

            self.group = placement_group([{"CPU": 1}])
            ray.get(self.group.ready())
            if occupied:
                strategy = PlacementGroupSchedulingStrategy(placement_group=self.group)
                self.worker = worker.options(scheduling_strategy=strategy).remote()
                ray.get(self.worker.here.remote())
            return str(self.group.id.hex())

    owner_class: Any = ray.remote(num_cpus=0)(Owner)
    return owner_class.remote()


def removed(group: str) -> bool:
    import ray

    return bool(ray.util.placement_group_table()[group]["state"] == "REMOVED")


def test_only_a_group_without_actors_is_removed_and_not_at_first_sight() -> None:
    import ray

    dead, living = owner(), owner()
    group = ray.get(dead.make.remote(occupied=False))
    used = ray.get(living.make.remote(occupied=True))
    ray.kill(dead)
    orphans = OrphanedPlacementGroups(after_s=1.0)
    assert orphans.remove() == []
    assert not removed(group), "Ray itself has removed it: this module is not needed any more"
    time.sleep(1.1)
    assert orphans.remove() == [group]
    assert removed(group) and not removed(used)
    ray.kill(living)


def test_it_is_done_while_a_block_runs() -> None:
    import ray

    dead = owner()
    group = ray.get(dead.make.remote(occupied=False))
    ray.kill(dead)
    deadline = time.monotonic() + 60
    with reap_orphans(interval_s=0.2, after_s=0.5):
        while not removed(group):
            assert time.monotonic() < deadline
            time.sleep(0.1)


MAKES_ITS_GROUP_LATER = """
from ban_ray import cluster

cluster.connect(ADDRESS, namespace="ban_ray")
import ray
from ray.util.placement_group import placement_group

class Owner:
    def make(self):
        self.group = placement_group([{"CPU": 1}])
        ray.get(self.group.ready())
        return self.group.id.hex()

Owner.__name__ = Owner.__qualname__ = NAME
owner = ray.remote(num_cpus=0)(Owner).options(name=NAME, lifetime="detached").remote()
ray.get(owner.__ray_ready__.remote())
"""


@pytest.mark.parametrize("name", [TRIAL_ACTOR_CLASS, "SomebodyElse"])
def test_groups_that_outlive_their_search_are_removed(name: str) -> None:
    """Made after its job has ended, as by a controller in its last moment, a group is not removed by Ray."""
    import ray

    address = ray.get_runtime_context().gcs_address
    script = f"ADDRESS, NAME = {address!r}, {name!r}\n{MAKES_ITS_GROUP_LATER}"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    owner = ray.get_actor(name)
    group = ray.get(owner.make.remote())
    assert not removed(group)
    orphans = OrphanedPlacementGroups(after_s=1.0)
    # Of a job that has just ended the dashboard hears late.
    deadline = time.monotonic() + (30 if name == TRIAL_ACTOR_CLASS else 5)
    while time.monotonic() < deadline and not removed(group):
        orphans.remove()
        time.sleep(0.2)
    assert removed(group) == (name == TRIAL_ACTOR_CLASS)
    ray.kill(owner)
