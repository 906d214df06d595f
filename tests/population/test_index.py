"""The index: quick, and never believed against the records."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from obstore.store import MemoryStore

from ban_ray.population import LocalStorage, Member, Population, open_storage
from ban_ray.population.imported import Imported, ImportedGeneration
from ban_ray.population.index import WORTH_WRITING, catalogue
from ban_ray.population.layout import INDEX
from ban_ray.population.publishing import publish, weights_file
from ban_ray.storage.object_store import ObjectStorage
from tests.helpers.members import TASK, add, many, path, predictions


@pytest.fixture
def population(tmp_path: Path) -> Population:
    """With enough members for an index."""
    many(tmp_path, WORTH_WRITING)
    return Population(LocalStorage(tmp_path))


def test_the_index_says_what_the_records_say(population: Population) -> None:
    records = list(population)
    assert len(records) == WORTH_WRITING
    assert not population.storage.exists(INDEX)
    assert population.records() == records, "cold"
    assert population.storage.exists(INDEX)
    assert population.records() == records, "warm"
    assert all(isinstance(member, Member) for member in population.records())


def test_what_is_indexed_is_not_read_again(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    records = population.records()
    new = add(population, 1000)
    real = Population.get
    monkeypatch.setattr(Population, "get", lambda self, key: real(self, key) if key == new.key else pytest.fail(key))
    assert population.records() == sorted([*records, new], key=lambda member: member.key)


def test_it_is_written_again_when_that_is_worth_it(population: Population) -> None:
    population.records()
    before = population.storage.read(INDEX)
    add(population, 1000)
    population.records()
    assert population.storage.read(INDEX) == before
    many(Path(population.storage.url) / "more", 2 * WORTH_WRITING)
    for folder in (Path(population.storage.url) / "more" / "population").iterdir():
        shutil.copytree(folder, Path(population.storage.url) / "population" / folder.name, dirs_exist_ok=True)
    assert len(population.records()) == 2 * WORTH_WRITING + 1
    assert population.storage.read(INDEX) != before


def test_members_that_went_are_gone(population: Population) -> None:
    records = population.records()
    shutil.rmtree(path(population, records[0]).parent)
    assert population.records() == records[1:]


def test_a_record_that_was_replaced_is_read_again(population: Population) -> None:
    records = population.records()
    place = path(population, records[0])
    place.write_bytes(place.read_bytes()[:-1])
    found = catalogue(population)
    assert list(found.members) == records[1:]
    assert found.damaged == (records[0].key,)


@pytest.mark.parametrize("position", [0, 20, 40, 100, 5000, -1])
def test_a_damaged_index_is_built_again(population: Population, position: int) -> None:
    records = population.records()
    place = Path(population.storage.url) / INDEX
    good = place.read_bytes()
    bad = bytearray(good)
    bad[position] ^= 4
    place.write_bytes(bad)
    assert population.records() == records
    assert place.read_bytes() == good


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff", b"[" * 100_000, b"ban_ray index 1 x\n[]"])
def test_an_index_of_nonsense(population: Population, data: bytes) -> None:
    records = population.records()
    (Path(population.storage.url) / INDEX).write_bytes(data)
    assert population.records() == records


def test_a_storage_that_cannot_be_written(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalStorage, "write", refuse)
    assert len(population.records()) == WORTH_WRITING


def test_names_that_are_no_keys_are_passed_over(population: Population) -> None:
    population.storage.write("population/ABC/member.json", b"{}")
    assert catalogue(population).damaged == ()


def test_imported_members_keep_what_they_are(population: Population) -> None:
    weights = {"weight": np.zeros(3, np.float32)}
    imported = Imported(weights=weights_file(weights).sha256, split_declared=True)
    generation = ImportedGeneration(task=TASK, network="densenet-bc-10-4", imported=imported)
    publish(
        population,
        generation,
        weights=weights,
        predictions=predictions(),
        history=[],
        teachers={},
        parameters=3,
        provenance={"huge": 2**70, "tiny": 5e-324, "text": "\N{GREEK SMALL LETTER ALPHA}\u2028"},
    )
    for _ in range(2):
        found = {member.key: member for member in population.records()}
        assert type(found[generation.key].generation) is ImportedGeneration
        assert found[generation.key] == population[generation.key]


@pytest.mark.parametrize("kind", ["local", "memory", "s3"])
def test_in_every_kind_of_storage(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    memory = ObjectStorage(MemoryStore(), "memory://")
    url = request.getfixturevalue("s3") if kind == "s3" else str(tmp_path)
    population = Population(memory if kind == "memory" else open_storage(url))
    made = sorted((add(population, seed) for seed in range(WORTH_WRITING)), key=lambda member: member.key)
    for _ in range(2):
        assert population.records() == made
    assert population.storage.exists(INDEX)


def test_ten_thousand_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many(tmp_path, 10_000)
    population, times = Population(LocalStorage(tmp_path)), []
    for _ in range(4):
        wall, processor = time.perf_counter(), time.process_time()
        assert len(population.records()) == 10_000
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    with capsys.disabled():
        texts = [f"{wall:.2f} s ({processor:.2f} s of processor)" for wall, processor in times]
        print(f"\n10,000 members: cold {texts[0]}, warm {', '.join(texts[1:])}")
    assert min(processor for _, processor in times[1:]) < 2
