"""The cost of a plan: time, memory and work."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from ban_ray.cli.console import Console
from ban_ray.networks.cost import multiply_accumulates
from ban_ray.population import Population, open_storage
from ban_ray.population.teaching import parse_policy
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.plan import cost, printing
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan.step_benchmark import StepConfig, StepMeasurement
from ban_ray.tasks.decoded import memory
from tests.helpers.jobs import train_job


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[StepConfig]:
    """Each step takes 0.1 s on one of two devices; the shapes that were measured."""
    measured: list[StepConfig] = []

    def measure(shape: StepConfig) -> StepMeasurement:
        measured.append(shape)
        return StepMeasurement(0.1, 2**30, 10, "one CPU thread", 2, 3 * 2**29)

    monkeypatch.setenv("BAN_RAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cost, "_measure_in_process", measure)
    return measured


def plan_of(tmp_path: Path, **options: Any) -> plans.Plan:
    spec = resolve(SearchOptions(space="chain", **options))
    return plans.make_plan(spec, Population(open_storage(str(tmp_path / "runs"))))


def test_a_chains_generations_follow_each_other(tmp_path: Path, steps: list[StepConfig]) -> None:
    cost_of_one = plans.estimate_plan_cost(
        plan_of(tmp_path, network="densenet-bc-10-4", seeds=(0,), epochs=2, generations=2), None
    )
    assert cost_of_one is not None
    # 300 images are 4 steps of 64 an epoch.
    assert cost_of_one.seconds == pytest.approx(3 * 2 * 4 * 0.1)
    assert cost_of_one.wall_time_s(1) == cost_of_one.wall_time_s(2) == cost_of_one.seconds
    cost_of_three = plans.estimate_plan_cost(
        plan_of(tmp_path, network="densenet-bc-10-4", epochs=2, generations=2), None
    )
    assert cost_of_three is not None
    assert cost_of_three.wall_time_s(2) == pytest.approx(1.5 * cost_of_one.seconds)
    assert cost_of_three.wall_time_s(99) == pytest.approx(cost_of_one.seconds)
    assert cost_of_three.multiply_accumulates == 3 * 3 * 2 * 4 * 64 * 10
    assert len(steps) == 2, "a baseline's and a student's, remembered"


def test_micro_batches_are_measured_and_counted(tmp_path: Path, steps: list[StepConfig]) -> None:
    """Four of 16 images take the place of a batch of 64, of which there are 4 an epoch; the work is the same."""
    plan = plan_of(tmp_path, network="densenet-bc-10-4", seeds=(0,), epochs=2, generations=0)
    (generation,) = plan.spec.chains[0].chain.generations
    parted = generation.model_copy(update={"recipe": generation.recipe.model_copy(update={"micro_batches": 4})})
    whole, in_parts = (cost.estimate_cost(plan.spec, [each], {}) for each in (generation, parted))
    assert [step.micro_batch_size for step in steps] == [64, 16]
    assert whole is not None
    assert in_parts is not None
    assert in_parts.seconds == pytest.approx(4 * whole.seconds) == pytest.approx(2 * 4 * 4 * 0.1)
    assert in_parts.multiply_accumulates == whole.multiply_accumulates


@pytest.mark.parametrize(("concurrent", "warned"), [(1, False), (2, True)])
def test_too_little_memory_is_warned_of(
    tmp_path: Path, steps: list[StepConfig], capsys: pytest.CaptureFixture[str], concurrent: int, warned: bool
) -> None:
    """A step takes 1 GiB, and there are 1.5."""
    plan = plan_of(tmp_path, network="densenet-bc-10-4", seeds=(0, 1), generations=0)
    estimated = plans.estimate_plan_cost(plan, None)
    assert estimated is not None
    printing.print_cost(estimated, plan, concurrent, Console(width=200))
    printed = capsys.readouterr().out
    assert "up to 1.0 GiB per worker" in printed
    assert ("need more than this machine's 1.5 GiB" in printed) is warned


def test_a_gpu_has_memory_of_its_own() -> None:
    gpu = cost.Cost(1, 1, 1, 2**30, "NVIDIA A100", 8, 2**30)
    assert gpu.fits(8)
    assert not replace(gpu, peak_bytes=2**30 + 1).fits(1)


def test_another_host_measures_for_itself(
    tmp_path: Path, steps: list[StepConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Homes are shared, and a process may see no GPU."""
    plan = plan_of(tmp_path, network="densenet-bc-10-4", seeds=(0,), generations=0)
    plans.estimate_plan_cost(plan, None)
    monkeypatch.setattr("platform.node", lambda: "another")
    plans.estimate_plan_cost(plan, None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    plans.estimate_plan_cost(plan, None)
    assert len(steps) == 3


def test_what_is_noted_by_another_version_is_measured_anew(tmp_path: Path, steps: list[StepConfig]) -> None:
    plan = plan_of(tmp_path, network="densenet-bc-10-4", seeds=(0,), generations=0)
    plans.estimate_plan_cost(plan, None)
    (note,) = (tmp_path / "cache" / "steps").iterdir()
    for text in (json.dumps({"seconds": 1}), '{"sec', ""):
        note.write_text(text)
        assert plans.estimate_plan_cost(plan, None) is not None
    assert len(steps) == 4
    plans.estimate_plan_cost(plan, None)
    assert len(steps) == 4


def test_a_network_of_the_users_is_measured_each_time(
    tmp_path: Path, steps: list[StepConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "network_to_measure.py").write_text(
        "from torch import nn\ndef build(num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plan = plan_of(tmp_path, network="network_to_measure:build", seeds=(0,), generations=0)
    plans.estimate_plan_cost(plan, None)
    plans.estimate_plan_cost(plan, None)
    assert len(steps) == 2


def test_teachers_of_the_population_are_known(tmp_path: Path, steps: list[StepConfig]) -> None:
    population = Population(open_storage(str(tmp_path / "runs")))
    spec = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), epochs=1, generations=0))
    train_job(population, spec.chains[0].chain.generations)
    (member,) = population
    options = SearchOptions(
        space="chain", network="densenet-bc-10-4", seeds=(1,), epochs=1, generations=0, teacher=member.key[:16]
    )
    from ban_ray.search.teachers.chosen_once import select_teachers

    spec = resolve(options)
    selected = select_teachers(population, "", parse_policy(options.teacher), spec.context.task, write=False)
    assert selected.keys == (member.key,)
    plan = plans.make_plan(spec.with_teachers(selected), population)
    estimated = plans.estimate_plan_cost(plan, population)
    assert estimated is not None
    assert steps[0].teacher_networks == (("densenet-bc-10-4", "{}"),)


STEP = StepConfig(
    network="densenet-bc-10-4",
    network_arguments="{}",
    teacher_networks=(("densenet-bc-10-4", "{}"),),
    num_classes=10,
    in_channels=1,
    sample_shape=(8, 8, 1),
    micro_batch_size=6,
    unroll=1,
    precision="fp32",
)


def test_a_step_is_measured() -> None:
    measured = cost._measure_in_process(STEP)
    assert 0 < measured.seconds < 60
    assert 2**20 < measured.peak_bytes < measured.memory_bytes
    work = multiply_accumulates("densenet-bc-10-4", 10, 1, (8, 8))
    assert measured.multiply_accumulates == 4 * work, "three passes of the student and one of its teacher"


@pytest.fixture
def new_forkserver() -> Iterator[None]:
    """The server of measuring processes is started by the test, and its environment goes with it."""
    stop = forkserver._forkserver._stop  # type: ignore[attr-defined]
    stop()
    yield
    stop()


def _environment(_: StepConfig) -> dict[str, str]:
    return dict(os.environ)


@pytest.mark.usefixtures("new_forkserver")
def test_a_step_is_measured_with_the_memory_that_training_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """And this process, from which Ray may be started, is left as it was."""
    monkeypatch.setattr(cost, "measure_step", _environment)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    before = dict(os.environ)
    environment: object = cost._measure_in_process(STEP)
    assert isinstance(environment, dict)
    assert MALLOC_ENVIRONMENT.keys() <= environment.keys()
    assert environment["MALLOC_ARENA_MAX"] == "3"
    assert dict(os.environ) == before


@pytest.mark.parametrize("held", [True, False])
def test_the_data_count(
    tmp_path: Path,
    steps: list[StepConfig],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    held: bool,
) -> None:
    """1,797 digits of 64 bytes in memory, or four batches of 32, of which a worker has half and no micro-batch less."""
    if not held:
        monkeypatch.setattr(memory, "MAX_DATA_FRACTION", 0.0)
    options = {"batch_size": 32, "workers": 2, "settings": ("recipe.micro_batches=2",)}
    plan = plan_of(tmp_path, network="densenet-bc-10-4", seeds=(0,), **options)
    found = plans.estimate_plan_cost(plan, None)
    assert found is not None
    assert steps[0].micro_batch_size == 8
    assert found.peak_bytes == 2**30 + (1797 * 64 if held else 4 * 16 * 64)
    printing.print_cost(found, plan, None, Console())
    said = capsys.readouterr().out
    where = f"115.0 kB of decoded data in {tmp_path / 'cache' / plan.spec.dataset.fingerprint}"
    assert (f"Each worker holds {where} in memory" in said) == held
    assert (f"Each worker reads {where} batch by batch" in said) != held
