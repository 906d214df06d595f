"""Teacher outputs cached by view: the same bits whatever is cached, right under random augmentation."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save as to_bytes
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks import build
from ban_ray.population import LocalStorage, Population, open_storage, teacher_outputs
from ban_ray.population.layout import output_folder
from ban_ray.runtime.worker import teacher_cache
from ban_ray.specs import Generation, Objective, Task
from ban_ray.specs.recipe import Recipe
from ban_ray.tasks.image_data import ImageData, sample_crop_flip
from ban_ray.training import Teacher, train
from ban_ray.training.precision import to_device
from ban_ray.training.teacher_cache.cache import CachedTeacher, RowInvariantLinear, channels_last, is_row_invariant
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable, bytes_needed
from tests.conftest import CPU, MakeGeneration
from tests.helpers.local_jobs import make_chain, run_job, stored_bytes
from tests.helpers.training_spies import a_teacher, same_bits, train_with_states, watch_teachers

# Tables of one teacher are shared by the processes of a node.
pytestmark = pytest.mark.xdist_group("teacher_cache")

CACHED = {"teacher_outputs": "cached", "batch_size": 50}


@pytest.fixture
def teacher(data: ImageData) -> Teacher:
    return to_device(a_teacher(data), CPU)


def table_for(data: ImageData, folder: Path, *, rows: int | None = None) -> SharedMemoryTable:
    limit = bytes_needed(data.views, data.views if rows is None else rows, data.num_classes)
    return SharedMemoryTable("teacher", data.views, data.num_classes, limit, folder)


def test_a_view_names_its_sample_crop_and_mirroring(data: ImageData, make_generation: MakeGeneration) -> None:
    """Every view of two samples is another number; digits are not mirrored."""
    mirrored = ImageData(**{**vars(data), "flip": True})
    for given in (data, mirrored):
        offsets, mirrors = 2 * given.pad + 1, 1 + given.flip
        seen: dict[int, Tensor] = {}
        generation = make_generation("ban", epochs=40, batch_size=100, teachers=("1" * 64,))
        for epoch in range(40):
            for inputs, _, views, _ in given.training_batches(generation, epoch, slice(0, 100)):
                assert views is not None
                for image, view in zip(inputs, views.tolist(), strict=True):
                    assert 0 <= view < given.views == 300 * offsets**2 * mirrors
                    assert torch.equal(seen.setdefault(view, image), image)
        drawn = sample_crop_flip(generation.seed, 0, 0, 100, given.pad, given.flip)
        assert bool(drawn.mirror.any()) == given.flip


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bits_do_not_depend_on_what_is_kept(
    data: ImageData, teacher: Teacher, make_generation: MakeGeneration, tmp_path: Path, precision: str
) -> None:
    """Nothing, everything or a part cached, everything cached before, a resume: the same weights."""
    generation = make_generation("ban", epochs=3, precision=precision, teachers=("1" * 64,), **CACHED)
    alone, states = train_with_states(generation, data, teacher)
    with table_for(data, tmp_path / "all") as table:
        first = train(generation, teacher, data, CPU, table=table)
        second = train(generation, teacher, data, CPU, table=table)
        resumed = train(generation, teacher, data, CPU, table=table, state=states[0])
    with table_for(data, tmp_path / "part", rows=200) as table:
        part = train(generation, teacher, data, CPU, table=table)
        in_part = train(generation, teacher, data, CPU, table=table)
    for other in (first, second, resumed, part, in_part):
        assert same_bits(alone.weights, other.weights)
    assert [record["teacher_outputs_found"] for record in second.history] == [1.0, 1.0, 1.0]
    assert first.history[0]["teacher_outputs_found"] == 0.0
    assert 0.0 < float(in_part.history[0]["teacher_outputs_found"] or 0) < 1.0


def test_a_view_that_is_kept_is_not_computed(
    data: ImageData, teacher: Teacher, make_generation: MakeGeneration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = make_generation("ban", epochs=2, teachers=("1" * 64,), **CACHED)
    asked = watch_teachers(monkeypatch)
    with table_for(data, tmp_path) as table:
        train(generation, teacher, data, CPU, table=table)
        assert asked
        assert all(len(inputs) == 50 for _, inputs, _ in asked)
        asked.clear()
        # Another objective with the same order and augmentation asks for the same views.
        other = generation.model_copy(update={"objective": Objective(name="ban+l")})
        train(other, teacher, data, CPU, table=table)
        assert not asked


def test_differs_from_online_by_rounding_alone(
    data: ImageData, teacher: Teacher, make_generation: MakeGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision has 11 bits: probabilities within 0.4 % for log-probabilities down to -8."""
    seen: list[tuple[Tensor, Tensor]] = []
    real = CachedTeacher.outputs

    def spy(self: CachedTeacher, online: Teacher, inputs: Tensor, views: Tensor | None) -> Tensor:
        said = real(self, online, inputs, views)
        seen.append((said, online(inputs)))
        return said

    monkeypatch.setattr(CachedTeacher, "outputs", spy)
    train(make_generation("ban", epochs=1, teachers=("1" * 64,), **CACHED), teacher, data, CPU)
    assert len(seen) == 6
    for said, online in seen:
        assert not torch.equal(said, online)
        assert (said.exp() - online.exp()).abs().max() < 5e-4
        torch.testing.assert_close(said.exp().sum(1), torch.ones(50))


def test_outputs_follow_the_view_not_the_sample(
    data: ImageData, teacher: Teacher, make_generation: MakeGeneration, tmp_path: Path
) -> None:
    """Torchdistill's cache gives a sample the outputs of the crop that it was first seen with."""
    generation = make_generation("ban", epochs=6, teachers=("1" * 64,), **CACHED)
    with table_for(data, tmp_path) as table:
        cached = CachedTeacher(50, table)
        worst = torch.zeros(())
        for epoch in range(6):
            for inputs, _, views, _ in data.training_batches(generation, epoch, slice(0, 50)):
                said = cached.outputs(teacher, inputs, views)
                worst = torch.maximum(worst, (said.exp() - teacher(inputs).exp()).abs().max())
        assert worst < 5e-4
        assert len(table) > 300


@pytest.mark.parametrize("network", ["densenet-bc-16-8", "densenet-bc-22-12", "wide-resnet-10-1", "pre-resnet-11"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("batch", [25, 64])
def test_a_row_depends_neither_on_its_place_nor_on_its_neighbours(network: str, precision: str, batch: int) -> None:
    """Densenet-bc-22-12's classifier reads 34 channels: by a matrix product its rows' bits depend on their place."""
    teacher = Teacher([to_device(build(network, 10, 3), CPU)])
    chance = torch.Generator().manual_seed(0)
    images = torch.randn(3 * batch, 3, 16, 16, generator=chance)

    def said(order: Tensor) -> Tensor:
        with RowInvariantLinear():
            return torch.cat([teacher(channels_last(part)) for part in torch.split(images[order], batch)])

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        plain = said(torch.arange(3 * batch))
        for _ in range(3):
            order = torch.randperm(3 * batch, generator=chance)
            assert torch.equal(said(order), plain[order])
        assert is_row_invariant(teacher, batch, images)
        online = teacher(channels_last(images))
    assert (plain.exp() - online.exp()).abs().max() < (2e-2 if precision == "bf16" else 1e-5)


def test_nothing_is_kept_of_a_teacher_whose_rows_are_not_alone(
    data: ImageData, make_generation: MakeGeneration, tmp_path: Path
) -> None:
    """A batch norm without statistics of its own lets every image change all others' outputs."""
    teacher = a_teacher(data)
    for layer in teacher.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    generation = make_generation("ban", epochs=1, teachers=("1" * 64,), **CACHED)
    alone = train(generation, teacher, data, CPU)
    with table_for(data, tmp_path) as table:
        for _ in range(2):
            assert same_bits(train(generation, teacher, data, CPU, table=table).weights, alone.weights)
        assert len(table) == 0


def test_a_baseline_is_the_same_for_both(task: Task) -> None:
    online, cached = (
        make_chain(task, recipe=Recipe(epochs=2, batch_size=100, teacher_outputs=outputs))
        for outputs in ("online", "cached")
    )
    assert online.keys[0] == cached.keys[0]
    assert online.keys[1] != cached.keys[1]
    assert "teacher_outputs" not in online.generations[1].to_json()


def test_a_copy_that_reads_no_teacher_is_the_same_for_both(task: Task) -> None:
    student = make_chain(task, recipe=Recipe(epochs=2, batch_size=100, teacher_outputs="cached")).generations[1]
    control = student.model_copy(update={"objective": Objective(name="label"), "teachers": ()})
    assert control.recipe.teacher_outputs == "online"
    assert Generation.model_validate_json(control.to_json()).key == control.key


def test_a_worker_keeps_them_beside_the_teacher(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next student reads them, in whatever process; a student without room for any has the same bytes."""
    recipe = Recipe(epochs=2, batch_size=100, teacher_outputs="cached")
    chain = make_chain(task, recipe=recipe)
    baseline, student = chain.generations
    other = student.model_copy(update={"objective": Objective(name="ban+l")})
    population = Population(open_storage(str(tmp_path / "runs")))
    assert run_job(population, *chain.generations, teacher_cache=10**7).status == "done"
    files = population.storage.list(output_folder(baseline.key))
    assert len(files) == 1
    asked = watch_teachers(monkeypatch)
    assert run_job(population, other, teacher_cache=10**7).status == "done"
    assert not asked
    assert [record["teacher_outputs_found"] for record in population.history(population[other.key])] == [1.0, 1.0]
    assert population.storage.list(output_folder(baseline.key)) == files

    alone = Population(open_storage(str(tmp_path / "alone")))
    assert run_job(alone, *chain.generations, other).status == "done"
    assert not alone.storage.list("outputs")
    for key in (student.key, other.key):
        assert stored_bytes(alone, key) == stored_bytes(population, key)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_kept_outputs_that_are_damaged_are_computed_again(task: Task, tmp_path: Path, damage: str) -> None:
    recipe = Recipe(epochs=2, batch_size=100, teacher_outputs="cached")
    chain = make_chain(task, recipe=recipe)
    other = chain.generations[1].model_copy(update={"objective": Objective(name="ban+l")})
    population = Population(open_storage(str(tmp_path / "runs")))
    assert run_job(population, *chain.generations, teacher_cache=10**7).status == "done"
    place = output_folder(chain.keys[0])
    (name,) = population.storage.list(place)
    data = population.storage.read(f"{place}/{name}")
    if damage == "gone":
        population.storage.delete(f"{place}/{name}")
    else:
        wrong = data[:-5] if damage == "cut" else data[:-5] + bytes(5)
        population.storage.write(f"{place}/{name}", wrong)
    assert run_job(population, other, teacher_cache=10**7).status == "done"
    assert population.history(population[other.key])[0]["teacher_outputs_found"] == 0.0
    assert population.storage.read(f"{place}/{name}") == data


def test_a_full_disk_loses_only_the_outputs(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(teacher_cache, "save", full)
    chain = make_chain(task, recipe=Recipe(epochs=1, batch_size=100, teacher_outputs="cached"))
    population = Population(open_storage(str(tmp_path)))
    assert run_job(population, *chain.generations, teacher_cache=10**7).status == "done"
    assert chain.keys[1] in population


def table_of(folder: Path, numbers: list[int], views: int = 100, classes: int = 10) -> SharedMemoryTable:
    table = SharedMemoryTable(f"{views}-{classes}", views, classes, bytes_needed(views, views, classes), folder)
    table.add(np.array(numbers, np.int64), np.zeros((len(numbers), classes), np.float16))
    return table


@pytest.mark.parametrize(
    ("numbers", "rows"),
    [([0, 50], 2), ([-1, 3], 2), ([3, 3], 2), ([7, 3], 2), ([], 0), ([3, 4], 1)],
)
def test_saved_numbers_that_are_no_views_are_not_read(tmp_path: Path, numbers: list[int], rows: int) -> None:
    storage, key, identity = open_storage(str(tmp_path / "storage")), "a" * 64, "b" * 64
    data = to_bytes({"numbers": np.array(numbers, np.int64), "rows": np.zeros((rows, 10), np.float16)})
    name = f"{identity}-{len(numbers):010d}-{hashlib.sha256(data).hexdigest()}.safetensors"
    storage.write(f"{output_folder(key)}/{name}", data)
    with table_of(tmp_path, [], views=50) as table:
        teacher_outputs.load(storage, key, identity, table)
        assert len(table) == 0
    assert not storage.list(output_folder(key)), "another file can replace it"


def test_saved_rows_come_back_into_a_table_of_the_same_shape(tmp_path: Path) -> None:
    storage, key, identity = open_storage(str(tmp_path / "storage")), "a" * 64, "b" * 64
    for table_shape, saved_as, expected in (
        ((50, 10), identity, [0, 49]),
        ((50, 10), "c" * 64, []),
        ((50, 11), identity, []),
    ):
        with table_of(tmp_path / "saved", [0, 49]) as saved:
            teacher_outputs.save(storage, key, identity, saved)
        with table_of(tmp_path / "loaded", [], *table_shape) as table:
            teacher_outputs.load(storage, key, saved_as, table)
            assert table.items()[0].tolist() == expected


def test_texts_have_no_views(data: ImageData, teacher: Teacher, make_generation: MakeGeneration) -> None:
    class Text(ImageData):
        @property
        def views(self) -> int:
            return 0

    with pytest.raises(UserError, match="no views"):
        train(make_generation("ban", teachers=("1" * 64,), **CACHED), teacher, Text(**vars(data)), CPU)


def test_more_rows_take_the_place_of_fewer(tmp_path: Path) -> None:
    storage, key, identity = open_storage(str(tmp_path / "storage")), "a" * 64, "b" * 64
    for rows, expected in ((3, 3), (7, 7), (5, 7)):
        with table_of(tmp_path, list(range(rows))) as table:
            teacher_outputs.save(storage, key, identity, table)
        assert len(storage.list(output_folder(key))) == 1
        with table_of(tmp_path, []) as table:
            teacher_outputs.load(storage, key, identity, table)
            assert len(table) == expected


def test_where_memory_is_refused_a_generation_is_trained_all_the_same(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refused)
    chain = make_chain(task, recipe=Recipe(epochs=1, batch_size=100, teacher_outputs="cached"))
    population = Population(open_storage(str(tmp_path)))
    assert run_job(population, *chain.generations, teacher_cache=10**7).status == "done"
    assert not population.storage.list("outputs")


def test_a_disk_that_is_nearly_full_keeps_none(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members and checkpoints go first."""
    chain = make_chain(task, recipe=Recipe(epochs=1, batch_size=100, teacher_outputs="cached"))
    population = Population(open_storage(str(tmp_path)))
    monkeypatch.setattr(LocalStorage, "free_bytes", lambda _: 4 * 300 * 10 * 2)
    assert run_job(population, *chain.generations, teacher_cache=10**7).status == "done"
    assert not population.storage.list("outputs")
