"""Teachers from the population: the choice, its record, and what is refused."""

import shutil
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.search.config import spaces
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.plan import plan as plans
from ban_ray.search.study.teachers import select_teachers
from ban_ray.specs.parameters import Configuration
from ban_ray.specs.teacher_choice import TeacherChoice
from tests.helpers.jobs import train_job
from tests.search.conftest import Trained


@pytest.fixture
def own_copy(trained: Trained, tmp_path: Path) -> Trained:
    """The same population in a storage that a test may write into."""
    population, spec = trained
    shutil.copytree(population.storage.url, tmp_path / "copy")
    return Population(open_storage(str(tmp_path / "copy"))), spec


def test_the_best_member_is_the_one_of_lowest_held_out_error(trained: Trained) -> None:
    population, spec = trained
    task = spec.context.task
    errors = {member.key: member.metrics.held_out_error or 0 for member in population}
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


def test_a_choice_is_written_down_and_stays(own_copy: Trained) -> None:
    population, spec = own_copy
    task = spec.context.task
    chosen = select_teachers(population, "noted", TeacherChoice.parse("best"), task)
    # Whatever becomes the best later, this search goes on with its own.
    assert select_teachers(population, "noted", TeacherChoice.parse("best:parameters=1"), task) == chosen
    population.storage.write("searches/noted/teachers.json", b"[")
    with pytest.raises(UserError, match="damaged"):
        select_teachers(population, "noted", TeacherChoice.parse("best"), task)


def test_a_named_member_and_its_generations(trained: Trained) -> None:
    population, spec = trained
    task, keys = spec.context.task, spec.chains[0].chain.keys
    assert select_teachers(population, "e", TeacherChoice.parse(keys[1][:12]), task, write=False).keys == (keys[1],)
    several = select_teachers(population, "f", TeacherChoice.parse(f"generations:{keys[2]}"), task, write=False)
    assert several.keys == keys[1:], "BAN-1 and BAN-2, without the baseline"
    with pytest.raises(UserError, match="no born-again generations lead to densenet-bc-16-8 by label"):
        select_teachers(population, "g", TeacherChoice.parse(f"generations:{keys[0]}"), task, write=False)
    with pytest.raises(UserError, match=r"no member of .* has a key that begins with f+$"):
        select_teachers(population, "h", TeacherChoice.parse("f" * 64), task, write=False)
    with pytest.raises(UserError, match="held-out samples"):
        select_teachers(
            population, "i", TeacherChoice.parse(keys[0]), task.model_copy(update={"split_seed": 1}), write=False
        )


def test_generation_0_learns_from_the_chosen_and_says_so(own_copy: Trained) -> None:
    population, spec = own_copy
    teachers = select_teachers(
        population, "j", TeacherChoice.parse(f"generations:{spec.chains[0].chain.keys[2]}"), spec.context.task
    )
    taught = spec.with_teachers(teachers)
    assert teachers.description in taught.data_and_protocol
    first = taught.chains[0].chain.generations[0]
    assert first.teachers == teachers.keys
    assert str(first.objective) == "ban+l"
    assert taught.chains[0].position.columns[0] == "student"
    plan = plans.make_plan(taught, population)
    assert not plan.published_keys
    train_job(population, (first,), teacher_description=teachers.description)
    member = population[first.key]
    assert member.provenance["teacher_chosen"] == teachers.description
    assert set(member.teachers) == set(teachers.keys)
    assert isinstance(macs := member.provenance["multiply_accumulates"], int) and macs > 0


SAMPLED: dict[str, Configuration] = {
    "densenet_search": {"depth": 10, "growth": 4, "compression": 0.5},
    "recipe_search": {"objective": "cwtm", "learning_rate": 0.1, "weight_decay": 1e-4},
}


@pytest.mark.parametrize("name", [name for name in spaces.names() if spaces.load(name).takes_teacher])
def test_a_generation_0_that_a_member_teaches_is_no_baseline(trained: Trained, name: str) -> None:
    population, spec = trained
    network = "densenet-bc-10-4" if spaces.load(name).takes_network else None
    untaught = resolve(SearchOptions(space=name, network=network, generations=1, seeds=(0,)))
    teacher = TeacherChoice.parse(spec.chains[0].chain.keys[0])
    taught = untaught.with_teachers(select_teachers(population, name, teacher, untaught.context.task, write=False))
    planned = taught.chains_of(SAMPLED[name]) if name in SAMPLED else taught.chains
    assert planned[0].chain.generations[0].teachers
    assert planned[0].position.columns == ("student", "BAN-1")


@pytest.mark.parametrize(
    ("space", "text", "reason"),
    [
        ("densenet_grid", "worst", "'worst' names no teacher; allowed are parent, KEY"),
        ("densenet_grid", "abc", "at least its first 8 letters"),
        ("densenet_grid", "best:parameters=0", "names no teacher"),
        ("match_resnet", "best", "space match_resnet has its own teachers"),
    ],
)
def test_what_names_no_teacher_is_refused(space: str, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        resolve(SearchOptions(space=space, teacher=text))
