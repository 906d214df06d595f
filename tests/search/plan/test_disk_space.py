"""The disk space that a plan needs, against what its members take."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ban_ray.errors import UserError
from ban_ray.search.plan import disk_space
from ban_ray.search.plan import plan as plans
from tests.search.conftest import Trained


def test_a_storage_without_room_is_refused(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    population, spec = trained
    plan = plans.make_plan(spec, population)
    needed = disk_space.needed_bytes(plan, 2)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=needed))
    disk_space.check_disk_space(population.storage.url, plan, 2)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    with pytest.raises(UserError, match="MiB free and this search needs about"):
        disk_space.check_disk_space(population.storage.url, plan, 2)


def test_the_needed_room_is_near_what_members_take(trained: Trained) -> None:
    population, spec = trained
    empty = plans.make_plan(spec, None)
    taken = sum(
        file.stat().st_size for file in (Path(population.storage.url) / "population").rglob("*") if file.is_file()
    )
    of_two_chains = plans.Plan(spec, frozenset(), empty.missing_generations[:6], empty.incomplete_chains[:2])
    assert taken <= disk_space.needed_bytes(of_two_chains, 1) <= 3 * taken
