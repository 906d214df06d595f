"""What a plan says of time, memory and work."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ban_ray.cli.console import Console
from ban_ray.population import Population, open_storage
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.plan import cost
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan.step_benchmark import StepConfig, StepMeasurement
from ban_ray.specs.teacher_choice import TeacherChoice
from tests.search.test_teachers import train


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[StepConfig]:
    """Each step takes 0.1 s on one of two devices; the shapes that were measured."""
    measured: list[StepConfig] = []

    def measure(shape: StepConfig) -> StepMeasurement:
        measured.append(shape)
        return StepMeasurement(0.1, 2**30, 10, "one CPU thread", 2, 3 * 2**29)

    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cost, "_measured", measure)
    return measured


def planned(tmp_path: Path, **options: object) -> plans.Plan:
    return plans.make_plan(resolve(Options(space="chain", **options)), Population(open_storage(str(tmp_path / "runs"))))  # type: ignore[arg-type]


def test_a_chains_generations_follow_each_other(tmp_path: Path, steps: list[StepConfig]) -> None:
    one = plans.estimate_cost(planned(tmp_path, network="densenet-bc-10-4", seeds=(0,), epochs=2, generations=2), None)
    assert one is not None
    # 300 images are 4 steps of 64 an epoch.
    assert one.seconds == pytest.approx(3 * 2 * 4 * 0.1)
    assert one.wall_time(1) == one.wall_time(2) == one.seconds
    three = plans.estimate_cost(planned(tmp_path, network="densenet-bc-10-4", epochs=2, generations=2), None)
    assert three is not None
    assert three.wall_time(2) == pytest.approx(1.5 * one.seconds)
    assert three.wall_time(99) == pytest.approx(one.seconds)
    assert three.multiply_accumulates == 3 * 3 * 2 * 4 * 64 * 10
    assert len(steps) == 2, "a baseline's and a student's, remembered"


@pytest.mark.parametrize(("at_once", "told"), [(1, False), (2, True)])
def test_too_little_memory_is_told(
    tmp_path: Path, steps: list[StepConfig], capsys: pytest.CaptureFixture[str], at_once: int, told: bool
) -> None:
    """A step takes 1 GiB, and there are 1.5."""
    plan = planned(tmp_path, network="densenet-bc-10-4", seeds=(0, 1), generations=0)
    found = plans.estimate_cost(plan, None)
    assert found is not None
    plans.print_cost(found, plan, at_once, Console(width=200))
    said = capsys.readouterr().out
    assert "up to 1.0 GiB for one worker" in said
    assert ("There are 1.5 GiB here, less than that takes" in said) is told


def test_a_gpu_has_memory_of_its_own() -> None:
    gpu = cost.Cost(1, 1, 1, 2**30, "NVIDIA A100", 8, 2**30)
    assert gpu.fits(8)
    assert not replace(gpu, peak_bytes=2**30 + 1).fits(1)


def test_another_host_measures_for_itself(
    tmp_path: Path, steps: list[StepConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Homes are shared, and a process may see no GPU."""
    plan = planned(tmp_path, network="densenet-bc-10-4", seeds=(0,), generations=0)
    plans.estimate_cost(plan, None)
    monkeypatch.setattr(cost.platform, "node", lambda: "another")
    plans.estimate_cost(plan, None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    plans.estimate_cost(plan, None)
    assert len(steps) == 3


def test_what_is_noted_by_another_version_is_measured_anew(tmp_path: Path, steps: list[StepConfig]) -> None:
    plan = planned(tmp_path, network="densenet-bc-10-4", seeds=(0,), generations=0)
    plans.estimate_cost(plan, None)
    (note,) = (tmp_path / "cache" / "steps").iterdir()
    for text in (json.dumps({"seconds": 1}), '{"sec', ""):
        note.write_text(text)
        assert plans.estimate_cost(plan, None) is not None
    assert len(steps) == 4
    plans.estimate_cost(plan, None)
    assert len(steps) == 4


def test_a_network_of_the_users_is_measured_each_time(
    tmp_path: Path, steps: list[StepConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_to_measure.py").write_text(
        "from torch import nn\ndef build(num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plan = planned(tmp_path, network="mine_to_measure:build", seeds=(0,), generations=0)
    plans.estimate_cost(plan, None)
    plans.estimate_cost(plan, None)
    assert len(steps) == 2


def test_teachers_of_the_population_are_known(tmp_path: Path, steps: list[StepConfig]) -> None:
    population = Population(open_storage(str(tmp_path / "runs")))
    request = resolve(Options(space="chain", network="densenet-bc-10-4", seeds=(0,), epochs=1, generations=0))
    train(population, request, request.chains[0].chain.generations)
    (member,) = population
    options = Options(
        space="chain", network="densenet-bc-10-4", seeds=(1,), epochs=1, generations=0, teacher=member.key[:16]
    )
    from ban_ray.search.config.teachers import select_teachers

    request = resolve(options)
    chosen = select_teachers(population, "", TeacherChoice.parse(options.teacher), request.context.task, write=False)
    assert chosen.keys == (member.key,)
    plan = plans.make_plan(request.with_teachers(chosen), population)
    found = plans.estimate_cost(plan, population)
    assert found is not None
    assert steps[0].teachers == (("densenet-bc-10-4", "{}"),)


def _environment(_: StepConfig) -> dict[str, str]:
    return dict(os.environ)


def test_a_step_is_measured_with_the_memory_that_training_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """And this process, from which Ray may be started, is left as it was."""
    monkeypatch.setattr(cost, "measure", _environment)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    before = dict(os.environ)
    there: object = cost._measure_in_process(None)  # type: ignore[arg-type]
    assert isinstance(there, dict)
    assert MALLOC_ENVIRONMENT.keys() <= there.keys()
    assert there["MALLOC_ARENA_MAX"] == "3"
    assert dict(os.environ) == before
