"""Publication: the files first, the record last and once."""

import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from ban_ray.errors import DamagedMember
from ban_ray.population import Population, open_storage
from ban_ray.storage.local import LocalStorage
from tests.helpers.plain_members import a_generation, add, contents, files, overwrite

GENERATION = a_generation()
KEY = GENERATION.key


def test_publish_and_read_back(population: Population) -> None:
    assert population.get(KEY) is None
    assert KEY not in population
    made = add(population)
    assert KEY in population
    assert population.keys() == [KEY]
    assert list(population) == [made]
    member = population[KEY]
    assert member == made
    assert member.generation == GENERATION
    assert member.teachers == {"a" * 64: "b" * 64}
    assert member.parameters == 36
    expected = contents()
    assert member.provenance == expected["provenance"]
    weights = population.weights(member)
    assert weights.keys() == expected["weights"].keys()
    for name, array in weights.items():
        assert array.dtype == expected["weights"][name].dtype
        assert np.array_equal(array, expected["weights"][name])
    for name, array in population.predictions(member).arrays().items():
        assert array.dtype == getattr(expected["predictions"], name).dtype
        assert np.array_equal(array, getattr(expected["predictions"], name))
    assert population.history(member) == expected["history"]


def test_metrics_are_computed_from_the_predictions(population: Population) -> None:
    member, expected = add(population), contents()["predictions"]
    for part in ("held_out", "test"):
        made, labels = getattr(expected, part).astype(np.float64), getattr(expected, f"{part}_labels")
        wrong = sum(int(np.argmax(row)) != label for row, label in zip(made, labels, strict=True))
        assert getattr(member.metrics, f"{part}_error") == pytest.approx(100 * wrong / len(labels))
        likelihood = np.mean([row[label] for row, label in zip(made, labels, strict=True)])
        assert getattr(member.metrics, f"{part}_log_likelihood") == pytest.approx(likelihood)


def test_files_are_named_by_what_they_hold(population: Population) -> None:
    add(population)
    names = files(population, KEY)
    assert len(names) == 4
    for name in set(names) - {"member.json"}:
        data = population.storage.read(f"population/{KEY}/{name}")
        assert name.split("-")[1].split(".")[0] == hashlib.sha256(data).hexdigest()


def test_the_record_carries_its_own_digest(population: Population) -> None:
    """Anyone can check it: the SHA-256 of the same sorted JSON without that field."""
    add(population)
    data = population.storage.read(f"population/{KEY}/member.json")
    record = json.loads(data)
    written = record.pop("sha256")
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == written


def test_who_loses_the_race_gets_the_winners_member(population: Population) -> None:
    first = add(population, seed=1)
    before = files(population, KEY)
    assert add(population, seed=2) == first
    assert population[KEY] == first
    assert files(population, KEY) == before
    assert population.weights(first)["steps"] == [1]


@pytest.mark.parametrize("shared", [("weights",), ("predictions", "history"), ("weights", "predictions", "history")])
def test_files_that_both_wrote_stay(population: Population, shared: tuple[str, ...]) -> None:
    """The same bits trained twice are the rule, not the exception."""
    first = add(population, seed=1)
    same = contents(1)
    assert add(population, seed=2, **{name: same[name] for name in shared}) == first
    assert len(files(population, KEY)) == 4
    population.weights(first), population.predictions(first), population.history(first)


def test_a_race_of_many(population: Population) -> None:
    barrier = threading.Barrier(8)
    got: list[object] = []

    def run(seed: int) -> None:
        barrier.wait()
        # Half of them trained the same bits.
        got.append(add(population, seed=seed // 2))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    member = population[KEY]
    assert got == [member] * 8
    assert len(files(population, KEY)) == 4
    population.weights(member), population.predictions(member), population.history(member)
    hidden = [path for path in Path(population.storage.url).rglob(".*") if path.is_file()]
    assert not hidden, "no scratch files"


class Failing(LocalStorage):
    """Fails at the n-th change, as a full disk or a killed process would."""

    left = 0

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")

    def write(self, path: str, data: bytes) -> None:
        self._count()
        super().write(path, data)

    def create(self, path: str, data: bytes) -> bool:
        self._count()
        return super().create(path, data)


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_publication_that_broke_off_is_none(tmp_path: Path, done: int) -> None:
    storage = Failing(tmp_path)
    storage.left = done
    population = Population(storage)
    with pytest.raises(OSError, match="No space"):
        add(population)
    assert KEY not in population
    assert population.get(KEY) is None
    assert population.keys() == []
    storage.left = 100
    member = add(population)
    assert population[KEY] == member
    assert len(files(population, KEY)) == 4


@pytest.mark.parametrize(
    "key", ["", "x", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", "../" + "0" * 61, "0" * 63 + "/"]
)
def test_what_is_no_key_is_refused(population: Population, key: str) -> None:
    for ask in (population.get, population.__getitem__, population.__contains__):
        with pytest.raises(ValueError, match="is no key"):
            ask(key)


def deep(levels: int) -> object:
    made: object = 1
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize(
    "provenance",
    [{"a": deep(40)}, {"command": "x" * 2**21}, {"seconds": float("nan")}],
    ids=["deep", "long", "no number"],
)
def test_what_could_not_be_read_is_not_published(population: Population, provenance: dict[str, object]) -> None:
    """Else its key is taken for good by a member that is damaged from the start."""
    with pytest.raises(ValueError):
        add(population, provenance=provenance)
    assert KEY not in population
    assert files(population, KEY) == []


def test_a_member_that_is_not_there_is_named(population: Population) -> None:
    with pytest.raises(KeyError, match=KEY):
        population[KEY]


def test_listing_passes_over_what_is_no_member(population: Population) -> None:
    members = [add(population, a_generation(seed)) for seed in range(3)]
    population.storage.write("population/README", b"hello")
    population.storage.write(f"population/{'f' * 64}/weights-{'0' * 64}.safetensors", b"unfinished publication")
    population.storage.write("population/notes/member.json", b"{}")
    damaged = a_generation(9)
    add(population, damaged)
    overwrite(population.storage, damaged.key, "member.json", b"{}")
    keys = sorted(member.key for member in members)
    assert population.keys() == sorted([*keys, damaged.key])
    assert [member.key for member in population] == keys
    with pytest.raises(DamagedMember, match=damaged.key):
        population[damaged.key]


def test_an_empty_storage_is_an_empty_population(tmp_path: Path) -> None:
    population = Population(open_storage(str(tmp_path / "not" / "there" / "yet")))
    assert population.keys() == []
    assert list(population) == []
