"""A worker's way through an order, in this process: what it refuses, and how it fails."""

from pathlib import Path

import pytest

from ban_ray.population import Population, failures
from ban_ray.specs import Chain, Generation, Task
from ban_ray.tasks.image_data import ImageData
from tests.helpers.local_jobs import BAN, NETWORK, SMALL, is_free, make_chain, run_job, student_of
from tests.helpers.training_spies import watch_batches


@pytest.fixture
def chain(task: Task) -> Chain:
    return make_chain(task)


def test_a_loss_that_is_not_finite_is_recorded_for_everyone(
    population: Population, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = make_chain(task, recipe=SMALL.model_copy(update={"learning_rate": 1e6}))
    outcome = run_job(population, *chain.generations)
    assert (outcome.status, outcome.key) == ("failed", chain.keys[0])
    assert "not finite" in outcome.message
    assert "\n" not in outcome.message
    assert is_free(population, chain.keys[0])
    batches = watch_batches(monkeypatch)
    assert run_job(population, *chain.generations, execution_name="another", job_id="another") == outcome
    assert not batches, "nobody trains into the same wall"


def test_weights_spoilt_by_the_very_last_step_are_a_loss_that_is_not_finite(population: Population, task: Task) -> None:
    recipe = SMALL.model_copy(update={"learning_rate": 1e6, "epochs": 1, "batch_size": 300})
    chain = make_chain(task, recipe=recipe, generations=0)
    outcome = run_job(population, *chain.generations)
    assert outcome.status == "failed"
    assert "not finite" in outcome.message
    assert failures.lookup(population.storage, chain.keys[0], "another search") is not None


def test_checkpoints_of_a_generation_that_cannot_be_trained_are_dropped(population: Population, task: Task) -> None:
    recipe = SMALL.model_copy(update={"learning_rate": 1e6, "epochs": 3})
    chain = make_chain(task, recipe=recipe, generations=0)
    assert run_job(population, *chain.generations).status == "failed"
    assert not population.storage.list(f"unfinished/{chain.keys[0]}")


def test_other_failures_hold_for_their_search_alone(population: Population, task: Task) -> None:
    chain = make_chain(task, recipe=SMALL.model_copy(update={"batch_size": 301}), generations=0)
    outcome = run_job(population, *chain.generations)
    assert outcome.status == "failed"
    assert outcome.message.startswith("batch size 301 ")
    assert failures.lookup(population.storage, chain.keys[0], "search") is not None
    assert failures.lookup(population.storage, chain.keys[0], "another") is None
    assert is_free(population, chain.keys[0])


def test_lack_of_memory_is_a_sentence(population: Population, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried")

    with monkeypatch.context() as patch:
        patch.setattr(ImageData, "training_batch", full)
        outcome = run_job(population, *chain.generations)
    assert outcome.status == "failed"
    assert "out of memory at batch size 100" in outcome.message
    assert run_job(population, *chain.generations, execution_name="another").status == "done"


def refused(population: Population, *generations: Generation) -> str:
    """The sentence; the claim is free afterwards and nothing is published."""
    outcome = run_job(population, *generations)
    assert outcome.status == "failed", outcome
    assert outcome.key == generations[-1].key
    assert "\n" not in outcome.message
    assert outcome.key not in population
    assert is_free(population, outcome.key)
    return outcome.message


@pytest.mark.parametrize("fields", [{"protocol": "paper"}, {"split_seed": 1}, {"protocol": "paper", "split_seed": 1}])
def test_a_teacher_that_may_have_seen_held_out_samples_is_refused(
    population: Population, task: Task, fields: dict[str, object]
) -> None:
    other = Task.model_validate({**task.model_dump(), **fields})
    teacher = make_chain(other, recipe=SMALL.model_copy(update={"epochs": 1}), generations=0).generations[0]
    assert run_job(population, teacher).status == "done"
    sentence = refused(population, student_of(teacher, task))
    assert "held-out" in sentence
    assert teacher.key[:12] in sentence


def test_one_such_teacher_among_several_is_refused(population: Population, task: Task) -> None:
    paper = task.model_copy(update={"protocol": "paper"})
    recipe = SMALL.model_copy(update={"epochs": 1})
    good, bad = (make_chain(each, recipe=recipe, generations=0).generations[0] for each in (task, paper))
    assert run_job(population, good).status == "done"
    assert run_job(population, bad).status == "done"
    student = Generation(task=task, network=NETWORK, recipe=SMALL, objective=BAN, seed=5, teachers=(good.key, bad.key))
    assert "held-out" in refused(population, student)


def test_noisier_teachers_and_paper_students_are_allowed(population: Population, task: Task) -> None:
    """Neither has seen a held-out sample of the student's: label noise moves none, the paper protocol has none."""
    recipe = SMALL.model_copy(update={"epochs": 1})
    noisy = make_chain(task.model_copy(update={"label_noise": 0.3}), recipe=recipe, generations=0).generations[0]
    assert run_job(population, noisy).status == "done"
    assert run_job(population, student_of(noisy, task)).status == "done"
    assert run_job(population, student_of(noisy, task.model_copy(update={"protocol": "paper"}))).status == "done"


def test_a_teacher_that_is_not_there_is_named(population: Population, chain: Chain) -> None:
    assert chain.keys[0] in refused(population, chain.generations[1])


@pytest.mark.parametrize("part", ["member.json", "weights"])
def test_a_damaged_teacher_is_named(population: Population, chain: Chain, part: str) -> None:
    run_job(population, chain.generations[0])
    (file,) = (Path(population.storage.url) / "population" / chain.keys[0]).glob(f"{part}*")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert chain.keys[0] in refused(population, chain.generations[1])
