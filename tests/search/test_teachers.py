"""Teachers from the population: the choice, its record, and what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.runtime.messages import TrainingJob
from ban_ray.runtime.worker import train_generations
from ban_ray.search.config import spaces
from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.config.teachers import select_teachers
from ban_ray.search.plan import disk_space
from ban_ray.search.plan import plan as plans
from ban_ray.specs.teacher_choice import TeacherChoice

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Population, SearchSpec]:
    """Two networks, each a baseline and two born-again generations of one epoch."""
    population = Population(open_storage(str(tmp_path_factory.mktemp("population"))))
    request = resolve(Options(space="densenet_grid", epochs=1, generations=2, seeds=(0,)))
    for planned in request.chains[:2]:
        train(population, request, planned.chain.generations)
    return population, request


def train(population: Population, request: SearchSpec, generations: tuple, told: str = "") -> None:
    order = TrainingJob(
        storage=population.storage.url,
        source=request.source,
        generations=generations,
        first=0,
        chain_seed=0,
        run="run",
        execution="search",
        teacher_description=told,
    )
    assert train_generations(order, CPU, lambda _: None).status == "done"


def test_the_best_member_is_the_one_of_lowest_held_out_error(trained: tuple[Population, SearchSpec]) -> None:
    population, request = trained
    task = request.context.task
    errors = {member.key: member.metrics.held_out_error for member in population}
    best = select_teachers(population, "a", TeacherChoice.parse("best"), task, write=False)
    assert errors[best.keys[0]] == min(errors.values())
    sizes = sorted({member.parameters for member in population})
    small = select_teachers(population, "b", TeacherChoice.parse(f"best:parameters={sizes[0]}"), task, write=False)
    assert population[small.keys[0]].parameters == sizes[0]
    assert f"{sizes[0]:,} parameters" in small.description
    with pytest.raises(UserError, match="none of the 6 members"):
        select_teachers(population, "c", TeacherChoice.parse("best:parameters=1"), task, write=False)
    with pytest.raises(UserError, match="protocol paper"):
        select_teachers(
            population, "d", TeacherChoice.parse("best"), task.model_copy(update={"protocol": "paper"}), write=False
        )


def test_a_choice_is_written_down_and_stays(trained: tuple[Population, SearchSpec]) -> None:
    population, request = trained
    task = request.context.task
    chosen = select_teachers(population, "noted", TeacherChoice.parse("best"), task)
    # Whatever becomes the best later, this search goes on with its own.
    assert select_teachers(population, "noted", TeacherChoice.parse("best:parameters=1"), task) == chosen
    population.storage.write("searches/noted/teachers.json", b"[")
    with pytest.raises(UserError, match="damaged"):
        select_teachers(population, "noted", TeacherChoice.parse("best"), task)


def test_a_named_member_and_its_generations(trained: tuple[Population, SearchSpec]) -> None:
    population, request = trained
    task, keys = request.context.task, request.chains[0].chain.keys
    assert select_teachers(population, "e", TeacherChoice.parse(keys[1][:12]), task, write=False).keys == (keys[1],)
    several = select_teachers(population, "f", TeacherChoice.parse(f"generations:{keys[2]}"), task, write=False)
    assert several.keys == keys[1:], "BAN-1 and BAN-2, without the baseline"
    with pytest.raises(UserError, match="no born-again generations lead to densenet-bc-16-8 by label"):
        select_teachers(population, "g", TeacherChoice.parse(f"generations:{keys[0]}"), task, write=False)
    with pytest.raises(UserError, match="0 members"):
        select_teachers(population, "h", TeacherChoice.parse("f" * 64), task, write=False)
    with pytest.raises(UserError, match="held-out samples"):
        select_teachers(
            population, "i", TeacherChoice.parse(keys[0]), task.model_copy(update={"split_seed": 1}), write=False
        )


def test_generation_0_learns_from_the_chosen_and_says_so(trained: tuple[Population, SearchSpec]) -> None:
    population, request = trained
    teachers = select_teachers(
        population, "j", TeacherChoice.parse(f"generations:{request.chains[0].chain.keys[2]}"), request.context.task
    )
    taught = request.with_teachers(teachers)
    assert teachers.description in taught.setting_description
    first = taught.chains[0].chain.generations[0]
    assert first.teachers == teachers.keys
    assert str(first.objective) == "ban+l"
    assert taught.chains[0].position.columns[0] == "student"
    plan = plans.make_plan(taught, population)
    assert not plan.published
    train(population, request, (first,), teachers.description)
    member = population[first.key]
    assert member.provenance["teacher_chosen"] == teachers.description
    assert set(member.teachers) == set(teachers.keys)
    assert member.provenance["multiply_accumulates"] > 0


SAMPLED = {
    "densenet_search": {"depth": 10, "growth": 4, "compression": 0.5},
    "recipe_search": {"objective": "cwtm", "learning_rate": 0.1, "weight_decay": 1e-4},
}


@pytest.mark.parametrize("name", [name for name in spaces.names() if spaces.load(name).takes_teacher])
def test_a_generation_0_that_a_member_teaches_is_no_baseline(trained: tuple[Population, SearchSpec], name: str) -> None:
    population, request = trained
    network = "densenet-bc-10-4" if spaces.load(name).takes_network else None
    asked = resolve(Options(space=name, network=network, generations=1, seeds=(0,)))
    teacher = TeacherChoice.parse(request.chains[0].chain.keys[0])
    taught = asked.with_teachers(select_teachers(population, name, teacher, asked.context.task, write=False))
    planned = taught.chains_of(SAMPLED[name]) if name in SAMPLED else taught.chains
    assert planned[0].chain.generations[0].teachers
    assert planned[0].position.columns == ("student", "BAN-1")


def test_what_is_taken_is_told(trained: tuple[Population, SearchSpec]) -> None:
    population, _ = trained
    deeper = resolve(Options(space="densenet_grid", epochs=1, generations=3, seeds=(0,)))
    assert plans.reused_teachers(plans.make_plan(deeper, population)) == {"densenet-bc-16-8": 1, "densenet-bc-16-12": 1}


@pytest.mark.parametrize(
    ("space", "text", "says"),
    [
        ("densenet_grid", "worst", "'worst' names no teacher; allowed are parent, KEY"),
        ("densenet_grid", "abc", "at least its first 8 letters"),
        ("densenet_grid", "best:parameters=0", "names no teacher"),
        ("match_resnet", "best", "space match_resnet has its own teachers"),
    ],
)
def test_what_names_no_teacher_is_refused(space: str, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        resolve(Options(space=space, teacher=text))


def test_a_storage_without_room_is_refused(
    trained: tuple[Population, SearchSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    population, request = trained
    plan = plans.make_plan(request, population)
    needed = disk_space.needed_bytes(plan, 2)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    disk_space.check_disk_space(population.storage.url, plan, 2)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    with pytest.raises(UserError, match="MiB free and this search needs about"):
        disk_space.check_disk_space(population.storage.url, plan, 2)


def test_the_needed_room_is_near_what_members_take(trained: tuple[Population, SearchSpec]) -> None:
    population, request = trained
    empty = plans.make_plan(request, None)
    taken = sum(
        file.stat().st_size for file in (Path(population.storage.url) / "population").rglob("*") if file.is_file()
    )
    of_two_chains = plans.Plan(request, frozenset(), empty.missing[:6], empty.open_chains[:2])
    assert taken <= disk_space.needed_bytes(of_two_chains, 1) <= 3 * taken
    json.dumps(plans.as_json(empty, None, []))
