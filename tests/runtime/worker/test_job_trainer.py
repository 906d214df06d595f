"""A worker's way through an order, in this process: trains, publishes, resumes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ban_ray.networks.modules.layers import NormConv
from ban_ray.population import Member, Population, checkpoints, claims, open_storage
from ban_ray.runtime.events import (
    EpochEnded,
    Event,
    GenerationEvent,
    Published,
    Reused,
    event_from_result,
    event_to_result,
)
from ban_ray.runtime.messages import JobResult
from ban_ray.specs import Chain, Generation, Objective, Task
from ban_ray.tasks.image_data import ImageData
from ban_ray.tasks.image_dataset import ImageDataset
from tests.helpers.local_jobs import (
    BAN,
    NETWORK,
    SMALL,
    images_predictions,
    make_chain,
    run_job,
    stored_bytes,
    student_of,
)
from tests.helpers.training_spies import initial_network, watch_batches, watch_teachers, without_times


@pytest.fixture
def chain(task: Task) -> Chain:
    return make_chain(task)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, task: Task) -> tuple[Population, Chain, list[Event]]:
    """A chain of three generations of which nobody writes into the storage any more."""
    population = Population(open_storage(str(tmp_path_factory.mktemp("finished"))))
    chain = make_chain(task, generations=2)
    reports: list[Event] = []
    outcome = run_job(population, *chain.generations, report=reports.append, cpus_per_worker=1, command="a command")
    assert outcome == JobResult(status="done")
    return population, chain, reports


def test_every_generation_is_published(finished: tuple[Population, Chain, list[Event]], digits: ImageDataset) -> None:
    population, chain, reports = finished
    assert population.keys() == sorted(chain.keys)
    for number, generation in enumerate(chain.generations):
        member = population[generation.key]
        assert member.generation == generation
        assert member.teachers == {key: population[key].weights.sha256 for key in generation.teachers}
        assert member.provenance["generation_number"] == number
        assert member.provenance["images_seen"] == 600
        assert member.provenance["command"] == "a command"
        assert [record["epoch"] for record in population.history(member)] == [1, 2]
        held_out, test = images_predictions(population, member)
        assert test.shape == (1397, 10)
        assert held_out.shape == (100, 10)
        assert test.dtype == np.float32
        assert np.array_equal(population.predictions(member).test_labels, digits.test.labels)
    assert not population.storage.list("unfinished")
    assert not population.storage.list("claims")
    for key in chain.keys:
        own = [event for event in reports if isinstance(event, GenerationEvent) and event.key == key]
        assert [event.epoch if isinstance(event, EpochEnded) else None for event in own] == [1, 2, None]
        assert isinstance(own[-1], Published)
        assert own[-1].metrics["test_error"] == population[key].metrics.test_error
    assert [event.generation for event in reports if isinstance(event, GenerationEvent)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [event_from_result(event_to_result(event)) for event in reports] == reports


def test_weights_are_published_in_their_own_shapes(
    finished: tuple[Population, Chain, list[Event]], data: ImageData
) -> None:
    population, chain, _ = finished
    own = initial_network(chain.generations[0], data).state_dict()
    published = population.weights(population[chain.keys[0]])
    assert {name: tuple(array.shape) for name, array in published.items()} == {
        name: tuple(tensor.shape) for name, tensor in own.items()
    }


def test_metrics_are_those_of_the_predictions(finished: tuple[Population, Chain, list[Event]]) -> None:
    population, chain, _ = finished
    for key in chain.keys:
        member, predictions = population[key], population.predictions(population[key])
        held_out, test = images_predictions(population, member)
        wrong = int((test.argmax(1) != predictions.test_labels).sum())
        assert member.metrics.test_error == pytest.approx(100 * wrong / 1397)
        missed = int((held_out.argmax(1) != predictions.held_out_labels).sum())
        assert member.metrics.held_out_error == pytest.approx(100 * missed / 100)
        chosen = test.astype(np.float64)[np.arange(1397), predictions.test_labels]
        assert member.metrics.test_log_likelihood == pytest.approx(chosen.mean())


def test_asking_again_trains_nothing(
    finished: tuple[Population, Chain, list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    population, chain, _ = finished
    before = {key: population[key] for key in chain.keys}
    batches = watch_batches(monkeypatch)
    reports: list[Event] = []
    assert (
        run_job(population, *chain.generations, report=reports.append, job_id="other", execution_name="other").status
        == "done"
    )
    assert reports == [
        Reused(generation=number, key=key, metrics=population[key].metrics.model_dump())
        for number, key in enumerate(chain.keys)
    ], "whoever compares chains replays these members' histories"
    assert not batches
    assert {key: population[key] for key in chain.keys} == before


def test_more_generations_train_only_the_new_ones(finished: tuple[Population, Chain, list[Event]], task: Task) -> None:
    population, chain, _ = finished
    longer = make_chain(task, generations=3)
    assert longer.keys[:3] == chain.keys
    reports: list[Event] = []
    assert run_job(population, *longer.generations, report=reports.append).status == "done"
    events = [event for event in reports if isinstance(event, GenerationEvent)]
    assert {event.key for event in events if not isinstance(event, Reused)} == {longer.keys[3]}
    assert [event.key for event in events if isinstance(event, Reused)] == list(chain.keys)
    population.storage.delete(f"population/{longer.keys[3]}")


def test_the_same_order_elsewhere_gives_the_same_bytes(
    finished: tuple[Population, Chain, list[Event]], population: Population
) -> None:
    first, chain, _ = finished
    torch.manual_seed(123)
    assert run_job(population, *chain.generations, job_id="another", execution_name="another").status == "done"
    for key in chain.keys:
        assert stored_bytes(population, key) == stored_bytes(first, key)


def test_generations_start_from_different_weights(population: Population, task: Task) -> None:
    """A learning rate of nothing publishes what each generation started from."""
    chain = make_chain(task, recipe=SMALL.model_copy(update={"epochs": 1, "learning_rate": 1e-30}), generations=2)
    assert run_job(population, *chain.generations).status == "done"
    weights = [population.weights(population[key]) for key in chain.keys]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        for name in ("stem.weight", "classifier.weight"):
            a, b = (weights[number][name].ravel().astype(np.float64) for number in (one, other))
            assert not np.array_equal(a, b)
            assert abs(np.corrcoef(a, b)[0, 1]) < 0.5, "no copy, and no copy with a little noise either"


def test_one_split_for_all_seeds(population: Population, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a chain's seed nor a generation's nor the augmentation's moves a sample between the parts."""
    recipe = SMALL.model_copy(update={"epochs": 1})
    chains = [make_chain(task, recipe=recipe, seed=seed, generations=0) for seed in (0, 1)]
    crossed = chains[0].generations[0].model_copy(update={"augmentation_seed": 9})
    crossed = Generation.model_validate(crossed.model_dump())
    trained_on, labels = [], []
    for generation in (*(chain.generations[0] for chain in chains), crossed):
        with monkeypatch.context() as patch:
            batches = watch_batches(patch)
            assert run_job(population, generation).status == "done"
        trained_on.append({image.numpy().tobytes() for batch in batches for image in batch.sources})
        labels.append(population.predictions(population[generation.key]).held_out_labels.tolist())
    assert trained_on[0] == trained_on[1] == trained_on[2]
    assert labels[0] == labels[1] == labels[2]


def test_no_held_out_sample_in_any_batch(
    population: Population, task: Task, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any generation, against the split as the specs name it."""
    from ban_ray.tasks.splits import split

    for split_seed in (0, 4):
        other = task.model_copy(update={"split_seed": split_seed, "label_noise": 0.3})
        with monkeypatch.context() as patch:
            batches = watch_batches(patch)
            chain = make_chain(other, recipe=SMALL.model_copy(update={"epochs": 1}))
            assert run_job(population, *chain.generations).status == "done"
        parts = split(other, digits.train.labels, 10)
        held_out = {digits.train.images[index].tobytes() for index in parts.held_out}
        trained_on = {image.numpy().tobytes() for batch in batches for image in batch.sources}
        assert len(trained_on) == 300
        assert not trained_on & held_out
        for key in chain.keys:
            kept = population.predictions(population[key])
            assert np.array_equal(kept.held_out_labels, digits.train.labels[parts.held_out]), "clean, of these samples"


class Stop(KeyboardInterrupt):
    """What a user's Ctrl-C or a debugger raises."""


@pytest.mark.usefixtures("every_epoch_kept")
@pytest.mark.parametrize("stop_at", [("baseline", 1), ("student", 1), ("student", 2)])
def test_interrupted_and_resumed_gives_the_same_bytes(
    population: Population, tmp_path: Path, task: Task, stop_at: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = make_chain(task, objective=Objective(name="dkpp"), recipe=SMALL.model_copy(update={"epochs": 3}))
    undisturbed = Population(open_storage(str(tmp_path / "undisturbed")))
    assert run_job(undisturbed, *chain.generations).status == "done"
    number = ("baseline", "student").index(stop_at[0])

    def interrupt(report: Event) -> None:
        if isinstance(report, EpochEnded) and (report.generation, report.epoch) == (number, stop_at[1]):
            raise Stop

    with pytest.raises(Stop):
        run_job(population, *chain.generations, report=interrupt, job_id="first")
    key = chain.keys[number]
    assert key not in population
    assert next(checkpoints.newest_first(population.storage, key))[0] == stop_at[1]
    asked = watch_teachers(monkeypatch)
    reports: list[Event] = []
    assert run_job(population, *chain.generations, report=reports.append, job_id="second").status == "done"
    epochs = [event.epoch for event in reports if isinstance(event, EpochEnded) and event.key == key]
    assert epochs == list(range(stop_at[1] + 1, 4)), "goes on where it stopped"
    assert asked, "a resumed student still has its teacher"
    for each in chain.keys:
        assert stored_bytes(population, each) == stored_bytes(undisturbed, each)
        histories = [without_times(place.history(place[each])) for place in (population, undisturbed)]
        assert histories[0] == histories[1]
    assert not population.storage.list("unfinished")


@pytest.mark.usefixtures("every_epoch_kept")
def test_a_damaged_checkpoint_costs_an_epoch_and_no_bit(population: Population, tmp_path: Path, task: Task) -> None:
    chain = make_chain(task, recipe=SMALL.model_copy(update={"epochs": 4}), generations=0)
    undisturbed = Population(open_storage(str(tmp_path / "undisturbed")))
    run_job(undisturbed, *chain.generations)

    def interrupt(report: Event) -> None:
        if isinstance(report, EpochEnded) and report.epoch == 3:
            raise Stop

    with pytest.raises(Stop):
        run_job(population, *chain.generations, report=interrupt, job_id="first")
    (key,) = chain.keys
    newest = sorted(Path(population.storage.url).glob(f"unfinished/{key}/*/*.pt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-1000])
    reports: list[Event] = []
    assert run_job(population, *chain.generations, report=reports.append, job_id="second").status == "done"
    assert [event.epoch for event in reports if isinstance(event, EpochEnded)] == [3, 4]
    assert stored_bytes(population, key) == stored_bytes(undisturbed, key)


def test_a_claim_of_another_live_run_is_respected(population: Population, chain: Chain) -> None:
    key = chain.keys[0]
    claim = claims.acquire(population.storage, key, "another run")
    assert claim is not None
    assert run_job(population, *chain.generations) == JobResult(status="claimed_elsewhere", key=key)
    assert key not in population
    claim.release()
    assert run_job(population, *chain.generations).status == "done"


def test_a_stale_claim_is_taken_over(population: Population, chain: Chain) -> None:
    """Of a host that nobody can look at, once a waiter has seen it standing still."""
    key = chain.keys[0]
    record = {"run": "gone", "owner": {"host": "elsewhere"}, "counter": 7, "released": False}
    population.storage.write(f"claims/{key}/000003.json", json.dumps(record).encode())
    assert run_job(population, *chain.generations).status == "claimed_elsewhere"
    assert run_job(population, *chain.generations, expired_claim_numbers={key: 2}).status == "claimed_elsewhere"
    assert run_job(population, *chain.generations, expired_claim_numbers={key: 3}).status == "done"


def test_the_first_generation_that_is_missing_decides(population: Population, chain: Chain) -> None:
    run_job(population, chain.generations[0])
    claim = claims.acquire(population.storage, chain.keys[1], "another run")
    assert claim is not None
    assert run_job(population, *chain.generations) == JobResult(status="claimed_elsewhere", key=chain.keys[1])
    claim.end()


def test_each_generation_is_trained_on_its_own_task(
    population: Population, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain whose baseline alone has noisy labels: the student's key says clean ones."""
    recipe = SMALL.model_copy(update={"epochs": 1})
    noisy = make_chain(task.model_copy(update={"label_noise": 1.0}), recipe=recipe, generations=0).generations[0]
    chain = Chain(seed=0, generations=(noisy, student_of(noisy, task)))
    batches = watch_batches(monkeypatch)
    assert run_job(population, *chain.generations).status == "done"
    assert not torch.equal(batches[0].data.train.labels, batches[-1].data.train.labels)


def test_several_teachers_teach(population: Population, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SMALL.model_copy(update={"epochs": 1})
    teachers = [make_chain(task, recipe=recipe, seed=seed, generations=0).generations[0] for seed in (0, 1)]
    for teacher in teachers:
        run_job(population, teacher)
    student = Generation(
        task=task,
        network=NETWORK,
        recipe=recipe,
        objective=BAN,
        seed=5,
        teachers=tuple(teacher.key for teacher in teachers),
    )
    asked = watch_teachers(monkeypatch)
    assert run_job(population, student).status == "done"
    assert all(len(teacher.networks) == 2 for teacher, _, _ in asked)
    for network, teacher in zip(asked[0][0].networks, teachers, strict=True):
        weights = population.weights(population[teacher.key])
        for name, tensor in network.state_dict().items():
            assert np.array_equal(tensor.numpy().ravel(), weights[name].ravel()), name
    assert set(population[student.key].teachers) == set(student.teachers)


def test_a_users_own_network_teaches_with_its_arguments(population: Population, task: Task) -> None:
    """Both the width of the student and that of its teacher come from the generations' arguments."""
    own = {"task": task, "network": "tests.training.own_networks:small", "recipe": SMALL}
    label = Objective(name="label")
    teacher = Generation(**own, objective=label, seed=1, network_arguments={"width": 5})
    student = Generation(**own, objective=BAN, seed=2, network_arguments={"width": 3}, teachers=(teacher.key,))
    assert run_job(population, teacher, student).status == "done"
    for generation, width in ((teacher, 5), (student, 3)):
        weights = population.weights(population[generation.key])
        assert weights["stem.weight"].shape == (width, 1, 3, 3)


def test_who_loses_the_race_goes_on_from_the_winners_member(
    population: Population, chain: Chain, tmp_path: Path
) -> None:
    """The member appears while this run trains: the student learns from the published teacher's weights."""
    other = Population(open_storage(str(tmp_path / "other")))
    run_job(other, chain.generations[0])
    winner: Member = other[chain.keys[0]]

    def publish_first(report: Event) -> None:
        if isinstance(report, EpochEnded) and (report.generation, report.epoch) == (0, 2):
            place = f"population/{winner.key}"
            for name in other.storage.list(place):
                population.storage.write(f"{place}/{name}", other.storage.read(f"{place}/{name}"))
            spoilt = population.storage.read(f"{place}/member.json")
            assert spoilt == winner.to_bytes()

    assert run_job(population, *chain.generations, report=publish_first).status == "done"
    assert population[chain.keys[0]] == winner
    assert population[chain.keys[1]].teachers == {winner.key: winner.weights.sha256}
    assert len(population.storage.list(f"population/{winner.key}")) == 4


def test_a_member_without_held_out_data(population: Population, task: Task) -> None:
    paper = task.model_copy(update={"protocol": "paper"})
    chain = make_chain(paper, recipe=SMALL.model_copy(update={"epochs": 1}))
    assert run_job(population, *chain.generations).status == "done"
    for key in chain.keys:
        member = population[key]
        assert member.metrics.held_out_error is None
        assert member.metrics.held_out_log_likelihood is None
        assert 0 <= member.metrics.test_error <= 100
        assert images_predictions(population, member)[0].shape == (0, 10)
        assert member.provenance["training_images"] == 400


def test_recomputed_units_train_the_same_bytes(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And they are recomputed: as many more forward passes of a unit's branch as there are units and steps."""
    chain, passes = make_chain(task), [0]
    real: Callable[[NormConv, torch.Tensor], torch.Tensor] = NormConv.forward

    def counted(self: NormConv, x: torch.Tensor) -> torch.Tensor:
        passes[0] += torch.is_grad_enabled()
        return real(self, x)

    monkeypatch.setattr(NormConv, "forward", counted)
    counts, bytes_of = [], []
    for recompute in (False, True):
        population = Population(open_storage(str(tmp_path / str(recompute))))
        passes[0] = 0
        assert run_job(population, *chain.generations, recompute=recompute).status == "done"
        counts.append(passes[0])
        bytes_of.append([stored_bytes(population, key) for key in chain.keys])
    assert bytes_of[0] == bytes_of[1]
    # densenet-bc-10-4 has 3 units of two layers each; 2 generations of 6 steps.
    assert counts[1] - counts[0] == 2 * 3 * 2 * 6
