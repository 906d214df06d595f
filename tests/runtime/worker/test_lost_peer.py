"""A report that finds another process dead ends the worker, not the generation."""

from pathlib import Path

import pytest

from ban_ray.errors import PeerLost
from ban_ray.population import Population, open_storage
from ban_ray.runtime.events import EpochEnded, Event
from ban_ray.runtime.messages import JobResult
from ban_ray.specs import Task
from tests.helpers.local_jobs import make_chain, run_job


def test_the_generation_goes_on_from_its_last_epoch(tmp_path: Path, task: Task) -> None:
    population = Population(open_storage(str(tmp_path)))
    chain = make_chain(task)

    def report(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1:
            raise PeerLost("the actor is unavailable")

    with pytest.raises(PeerLost):
        run_job(population, *chain.generations, report=report)
    assert not population.storage.list("failures")
    assert run_job(population, *chain.generations) == JobResult(status="done")
    assert population[chain.keys[0]].provenance["resumed_after_epochs"] == [1]
