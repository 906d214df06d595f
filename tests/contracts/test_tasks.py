"""The contract of a task type, which every registered one keeps, and one that a new file adds."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ban_ray.errors import UserError
from ban_ray.population import Population
from ban_ray.specs import LAPTOP_LSTM, Generation, Objective, Recipe, Task
from ban_ray.tasks import types
from ban_ray.tasks.catalog import TASK_TYPES, find_task_types, metric_of, task_type
from ban_ray.tasks.image_data import ImageData
from ban_ray.tasks.opening import open_source
from ban_ray.tasks.source import Source
from ban_ray.tasks.splits import split
from ban_ray.tasks.task_data import TaskData
from ban_ray.tasks.text_data import TextData
from tests.helpers.image_files import (
    gray_pictures,
    random_pictures,
    write_cifar,
    write_folder,
    write_idx,
    write_images,
    write_shards,
)
from tests.helpers.local_jobs import run_job
from tests.helpers.texts import babble, write, write_penn_treebank

CPU = torch.device("cpu")
PICTURES, GRAY = random_pictures(60, seed=1), gray_pictures(60, 1)
TEST, GRAY_TEST = random_pictures(20, seed=2), gray_pictures(20, 2)

STRIPES = '''
"""Task `stripes`: vertical and horizontal stripes."""

from pathlib import Path

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.task_type import FileLayout


def _read():
    import numpy as np

    from ban_ray.tasks.image_dataset import ImageArrays, RawImages

    labels = np.arange(80) % 2
    rows, columns = np.indices((8, 8)) % 2
    chance = np.random.default_rng(0).integers(0, 50, (80, 8, 8, 1))
    images = (200 * np.where(labels[:, None, None], rows, columns)[..., None] + chance).astype(np.uint8)
    return RawImages(ImageArrays(images[:60], labels[:60]), ImageArrays(images[60:], labels[60:]), 2)


STRIPES = ImageTask(
    name="stripes",
    description="stripes of 8x8 pixels, made up",
    layouts=lambda _: [FileLayout("its own", (Path(__file__),), _read)],
    needs_data=False,
    pad=1,
    flip=True,
)
'''


def cifar(name: str, folder: Path) -> list[Source]:
    write_folder(folder / "parquet", PICTURES, TEST)
    pickles = write_cifar(folder / "pickles", name, PICTURES, TEST)
    write_shards(folder / "shards" / "data", {"train": PICTURES, "test": TEST})
    places = [folder / "parquet", pickles, next(pickles.iterdir()), folder / "shards"]
    if name == "cifar10":
        places.append(write_images(folder / "images", PICTURES, TEST))
    return [Source.of(name, str(data)) for data in places]


def fashion_mnist(folder: Path) -> list[Source]:
    write_idx(folder / "plain", GRAY, GRAY_TEST, packed=False)
    write_idx(folder / "torchvision" / "FashionMNIST" / "raw", GRAY, GRAY_TEST, packed=True)
    write_shards(folder / "parquet" / "fashion_mnist", {"train": GRAY, "test": GRAY_TEST}, names="abcdefghij")
    write_images(folder / "images", GRAY, GRAY_TEST)
    return [Source.of("fashion_mnist", str(folder / n)) for n in ("plain", "torchvision", "parquet", "images")]


def own_images(folder: Path) -> list[Source]:
    write_images(folder / "images", PICTURES, TEST)
    write_shards(folder / "parquet", {"train": PICTURES, "test": TEST}, names="0123456789", as_text=True)
    return [Source.of("folder", str(folder / name), image_size="12x16") for name in ("images", "parquet")]


def text(folder: Path) -> list[Source]:
    data = str(write(folder, babble(200, 1), babble(40, 2), babble(41, 3)))
    return [Source.of("text", data)]


def penn_treebank(folder: Path) -> list[Source]:
    named, plain = write_penn_treebank(folder), folder.with_name("plain")
    plain.mkdir()
    for file in folder.iterdir():
        (plain / file.name.removeprefix("ptb.")).symlink_to(file)
    return [named, Source.of("ptb", str(plain))]


FILES: dict[str, Callable[[Path], list[Source]]] = {
    "cifar10": lambda folder: cifar("cifar10", folder),
    "cifar100": lambda folder: cifar("cifar100", folder),
    "fashion_mnist": fashion_mnist,
    "folder": own_images,
    "ptb": penn_treebank,
    "text": text,
}
"""Of tasks that read files: a source in each layout, with the same samples."""


@pytest.fixture(scope="module", params=[*TASK_TYPES, "stripes"])
def name(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param in TASK_TYPES:
        yield request.param
        return
    folder = tmp_path_factory.mktemp("types")
    (folder / "stripes.py").write_text(STRIPES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(types, "__path__", [*types.__path__, str(folder)])
        patch.setitem(TASK_TYPES, "stripes", find_task_types()["stripes"])
        yield "stripes"
    del sys.modules["ban_ray.tasks.types.stripes"]


@pytest.fixture(scope="module")
def sources(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    if not TASK_TYPES[name].needs_data:
        return [Source.of(name)]
    assert name in FILES, "a task that reads files is tested with small ones, which `FILES` writes"
    return FILES[name](tmp_path_factory.mktemp(name) / "data")


@pytest.fixture(scope="module")
def dataset(cache: Path, sources: list[Source]) -> Any:
    return open_source(sources[0])


@pytest.fixture(scope="module")
def data(name: str, dataset: Any) -> TaskData:
    return TASK_TYPES[name].to_device(task_of(name, dataset), dataset, CPU)


def task_of(name: str, dataset: Any, **fields: Any) -> Task:
    return Task(name=name, fingerprint=dataset.fingerprint, **fields)


def generation_for(name: str, dataset: Any, **recipe: Any) -> Generation:
    unrolls = TASK_TYPES[name].unrolls
    small = Recipe(epochs=1) if not unrolls else LAPTOP_LSTM.model_copy(update={"epochs": 1, "unroll": 5})
    return Generation(
        task=task_of(name, dataset),
        network="lstm-1-8" if unrolls else "densenet-bc-10-4",
        recipe=small.model_copy(update={"batch_size": 4, **recipe}),
        objective=Objective(name="label"),
        seed=1,
    )


def test_every_layout_has_the_same_fingerprint(sources: list[Source], dataset: Any) -> None:
    assert re.fullmatch("[0-9a-f]{64}", dataset.fingerprint)
    assert {open_source(source).fingerprint for source in sources} == {dataset.fingerprint}


def test_the_files_need_not_be_read_again(sources: list[Source], dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = TASK_TYPES[sources[0].name]
    monkeypatch.setitem(vars(kind), "layouts", lambda _: pytest.fail("the files are looked at"))
    assert open_source(sources[0], dataset.fingerprint).fingerprint == dataset.fingerprint
    assert kind.load(dataset.fingerprint).num_classes == dataset.num_classes


def test_a_layout_names_its_files(name: str, sources: list[Source]) -> None:
    for source in sources:
        layouts = TASK_TYPES[name].layouts(source)
        assert any(not layout.missing() for layout in layouts)
        assert all(layout.files and layout.description for layout in layouts)


def test_missing_files_are_one_sentence(name: str, tmp_path: Path) -> None:
    if not TASK_TYPES[name].needs_data:
        with pytest.raises(UserError, match=rf"--data '{tmp_path}' has no effect: task {name} is embedded"):
            Source.of(name, str(tmp_path))
        return
    options: dict[str, Any] = {"image_size": 16} if "image_size" in TASK_TYPES[name].needs else {}
    with pytest.raises(UserError) as caught:
        open_source(Source.of(name, str(tmp_path), **options))
    assert str(tmp_path) in str(caught.value)
    assert "needed" in str(caught.value) or f"task {name}, which needs" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_split_is_a_function_of_the_task(name: str, dataset: Any, data: TaskData) -> None:
    kind, task = TASK_TYPES[name], task_of(name, dataset)
    sizes = kind.sizes(task, dataset)
    assert (len(data.train), len(data.held_out), len(data.test)) == (sizes.train, sizes.held_out, sizes.test)
    assert min(sizes.train, sizes.held_out, sizes.test) > 0
    again = kind.to_device(task, dataset, CPU)
    for part in ("train", "held_out", "test"):
        assert torch.equal(getattr(again, part).labels, getattr(data, part).labels)


def test_held_out_samples_do_not_train(name: str, dataset: Any, data: TaskData) -> None:
    if isinstance(data, TextData):
        assert data.held_out.labels.tolist() == dataset.valid.tolist()
        assert data.train.labels.tolist() == dataset.train.tolist()
        return
    assert isinstance(data, ImageData), "a kind of samples whose split no test looks at"
    parts = split(task_of(name, dataset), dataset.train.labels, dataset.num_classes)
    assert not set(parts.train.tolist()) & set(parts.held_out.tolist())
    for part, indices in ((data.train, parts.train), (data.held_out, parts.held_out)):
        assert torch.equal(part.images, torch.from_numpy(dataset.train.images[indices]))


def test_batches_are_a_function_of_generation_and_epoch(name: str, dataset: Any, data: TaskData) -> None:
    generation, whole = generation_for(name, dataset), slice(0, 4)
    first, again = (list(data.training_batches(generation, 0, whole)) for _ in range(2))
    assert first
    for batch, same in zip(first, again, strict=True):
        assert torch.equal(batch.inputs, same.inputs)
        assert torch.equal(batch.labels, same.labels)
    assert bool(data.views) == (first[0].views is not None)
    halves = [list(data.training_batches(generation, 0, part)) for part in (slice(0, 2), slice(2, 4))]
    sizes = [sum(len(batch.labels) for batch in half) for half in halves]
    assert sum(sizes) == sum(len(batch.labels) for batch in first)


def test_evaluation_reads_every_sample(data: TaskData) -> None:
    for part in (data.held_out, data.test):
        seen = sum(len(labels) for _, labels in data.evaluation_batches(part))
        assert len(part) <= seen < len(part) + 16


def test_the_inputs_are_described(name: str, dataset: Any, data: TaskData) -> None:
    kind, task = TASK_TYPES[name], task_of(name, dataset)
    assert kind.augmentation(task, dataset)
    assert kind.views(task, dataset, kind.sizes(task, dataset)) == data.views
    for known in (dataset, None):
        described = kind.describe_inputs(task, known, dataset.num_classes, dataset.in_channels)
        assert (described.classes, described.channels) == (data.num_classes, data.in_channels)
        assert str(data.num_classes) in described.shapes
        compile(described.code, "load.py", "exec")


def test_a_generation_is_trained(name: str, sources: list[Source], dataset: Any, population: Population) -> None:
    """By a worker, from the source alone, to a member with the task's metric."""
    if name == "ptb":
        pytest.skip("a million tokens; task text differs in its files alone")
    large = {"batch_size": 200} if name == "python_docs" else {}
    generation = generation_for(name, dataset, **large)
    outcome = run_job(population, generation, data_source=sources[0])
    assert outcome.status == "done", outcome.message
    member = population[generation.key]
    assert Source.model_validate(member.provenance["source"]) == sources[0]
    assert member.provenance["num_classes"] == dataset.num_classes
    assert member.provenance.get("class_names", []) == list(getattr(dataset, "class_names", ()))
    metric = metric_of(member.generation.task)
    assert metric is TASK_TYPES[name].metric(member.generation.task)
    assert metric.sample_noun in (TASK_TYPES[name].sample_noun, "characters")
    assert metric.value_of(member, "held_out") is not None


def test_a_name_of_another_version_is_one_of_images() -> None:
    assert task_type("somewhere").sample_noun == "images"


def test_two_tasks_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "again.py").write_text(STRIPES.replace('name="stripes"', 'name="digits"'))
    monkeypatch.setattr(types, "__path__", [*types.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match="two task types are named 'digits'"):
        find_task_types()
    del sys.modules["ban_ray.tasks.types.again"]


def test_other_rooms_know_no_kind_of_sample() -> None:
    """What differs between images and text is a method of the task's type, so that a third kind needs no branch."""
    repository = Path(__file__).parents[2]
    kinds = re.compile(r"\b(Image(Data|Dataset|Part|Arrays|Task)|RawImages|RawText|Text(Data|Dataset|Part|Task))\b")
    rooms = [
        repository / "analysis",
        *(path for path in (repository / "ban_ray").iterdir() if path.name not in ("tasks", "networks")),
    ]
    files = [file for room in rooms for file in room.rglob("*.py")]
    assert len(files) > 100
    assert [file for file in files if kinds.search(file.read_text(encoding="utf-8"))] == []
