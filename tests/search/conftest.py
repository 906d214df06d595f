"""Fixtures of searches without Ray."""

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from tests.helpers.jobs import train_job

Trained = tuple[Population, SearchSpec]
"""A population, and the search that trained its members."""


@pytest.fixture
def without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out a plan's cost: it takes a measured step of each network, seconds each; see `plan/test_cost.py`."""
    monkeypatch.setattr("ban_ray.search.search.estimate_plan_cost", lambda plan, population: None)
    monkeypatch.setattr("ban_ray.search.search.print_slow_precision", lambda plan, population, console: None)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two networks of `densenet_grid`, each a baseline and two born-again generations of one epoch; read only."""
    population = Population(open_storage(str(tmp_path_factory.mktemp("population"))))
    spec = resolve(SearchOptions(space="densenet_grid", epochs=1, generations=2, seeds=(0,)))
    for planned in spec.chains[:2]:
        train_job(population, planned.chain.generations)
    return population, spec
