"""Findings of `verify`, and the quarantine of damaged members."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from ban_ray.errors import DamagedMember
from ban_ray.population import Member, Population, checkpoints
from ban_ray.population.maintenance.verify import VerificationReport, quarantine, verify
from ban_ray.population.member import File
from tests.helpers.members import add, age, chain, path, predictions, record, signed


@pytest.fixture
def members(population: Population) -> list[Member]:
    return chain(population, 3)


def found(population: Population) -> list[tuple[str, str]]:
    return [(finding.what, finding.key) for finding in verify(population).findings]


def test_nothing_is_found_where_nothing_is_wrong(population: Population, members: list[Member]) -> None:
    seen: list[tuple[int, int]] = []

    def progress(keys: Sequence[str]) -> Iterator[str]:
        for done, key in enumerate(keys):
            seen.append((done, len(keys)))
            yield key
        seen.append((len(keys), len(keys)))

    report = verify(population, progress=progress)
    size = sum(file.size for member in members for file in member.files)
    assert report == VerificationReport(members=3, bytes_read=size, findings=())
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert verify(Population(population.storage), keys=[members[0].key]).members == 1


def test_an_empty_storage(population: Population) -> None:
    assert verify(population) == VerificationReport(0, 0, ())


READS: dict[str, Callable[[Population, Member], object]] = {
    "member.json": lambda population, member: population.get(member.key),
    "weights": lambda population, member: population.weights(member),
    "predictions": lambda population, member: population.predictions(member),
    "history": lambda population, member: population.history(member),
}


def flips(population: Population, member: Member, kind: str, every: int) -> int:
    """Flip one bit at every n-th byte, another bit each time, and demand that it is found."""
    name = kind if kind == "member.json" else getattr(member, kind).name
    place, read = path(population, member, name), READS[kind]
    good, count = place.read_bytes(), 0
    for position in range(0, len(good), every):
        bad = bytearray(good)
        bad[position] ^= 1 << (position // every % 8)
        place.write_bytes(bad)
        with pytest.raises(DamagedMember, match=member.key):
            read(population, member)
        findings = verify(population, keys=[member.key]).findings
        assert [(finding.what, finding.key) for finding in findings] == [("damaged", member.key)], position
        assert findings[0].path == f"population/{member.key}/{name}"
        count += 1
    place.write_bytes(good)
    read(population, member)
    return count


@pytest.mark.parametrize(("kind", "every"), [("member.json", 1), ("weights", 2), ("predictions", 7), ("history", 17)])
def test_every_flipped_bit_is_found(population: Population, kind: str, every: int) -> None:
    assert flips(population, add(population), kind, every) >= 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["member.json", "weights", "predictions", "history"])
def test_a_flip_of_every_byte_of_every_file_is_found(population: Population, kind: str) -> None:
    member = add(population)
    name = kind if kind == "member.json" else getattr(member, kind).name
    assert flips(population, member, kind, 1) == path(population, member, name).stat().st_size


@pytest.mark.parametrize("change", [lambda data: data + b"x", lambda data: data[:-1], lambda data: b""])
@pytest.mark.parametrize("kind", ["member.json", "weights", "predictions", "history"])
def test_another_length_is_found(population: Population, kind: str, change: Callable[[bytes], bytes]) -> None:
    member = add(population)
    place = path(population, member, kind if kind == "member.json" else getattr(member, kind).name)
    place.write_bytes(change(place.read_bytes()))
    assert found(population) == [("damaged", member.key)]


def test_a_missing_file(population: Population, members: list[Member]) -> None:
    path(population, members[1], members[1].weights.name).unlink()
    assert found(population) == [("damaged", members[1].key)]


def test_two_members_whose_files_were_swapped(population: Population, members: list[Member]) -> None:
    first, second = (path(population, member).parent for member in members[:2])
    first.rename(first.with_name("swap"))
    second.rename(first)
    first.with_name("swap").rename(second)
    assert {what for what, _ in found(population)} == {"damaged", "teacher missing"}


def test_metrics_that_are_not_the_predictions(population: Population) -> None:
    member = add(population)
    plain = record(member)
    plain["metrics"]["test_error"] = 0.5
    path(population, member).write_bytes(signed(plain))
    assert found(population) == [("inconsistent", member.key)]


def test_a_teacher_with_other_bits(population: Population, members: list[Member]) -> None:
    shutil.rmtree(path(population, members[0]).parent)
    add(population, 0, bits=1)
    assert found(population) == [("teacher differs", members[1].key)]


def test_a_teacher_that_is_missing(population: Population, members: list[Member]) -> None:
    shutil.rmtree(path(population, members[1]).parent)
    assert found(population) == [("teacher missing", members[2].key)]


def test_a_record_that_names_other_teachers(population: Population, members: list[Member]) -> None:
    plain = record(members[1])
    plain["teachers"] = {}
    path(population, members[1]).write_bytes(signed(plain))
    assert ("inconsistent", members[1].key) in found(population)


def test_orphans_are_told_when_they_are_old(population: Population) -> None:
    member = add(population)
    folder = path(population, member).parent
    (folder / "weights-of-someone").write_bytes(b"x")
    (folder / ".weights.0123").write_bytes(b"x")
    other = folder.with_name("1" * 64)
    other.mkdir()
    (other / "weights").write_bytes(b"x")
    assert found(population) == []
    age(folder.parent, 2)
    assert found(population) == [("orphan", "1" * 64), ("orphan", member.key), ("orphan", member.key)]


def test_strangers_and_leftover_checkpoints(population: Population, members: list[Member]) -> None:
    population.storage.write("population/notes.txt", b"x")
    population.storage.write("population/../population/ABC/member.json".replace("../population/", ""), b"x")
    checkpoints.save(population.storage, members[0].key, "run", 1, b"state")
    checkpoints.save(population.storage, "2" * 64, "run", 1, b"state")
    assert found(population) == [("stranger", ""), ("stranger", ""), ("unfinished", members[0].key)]


@pytest.mark.parametrize("kind", ["folder", "record", "weights"])
def test_symbolic_links_are_reported_and_not_followed(
    population: Population, members: list[Member], tmp_path: Path, kind: str
) -> None:
    """A storage that a stranger made would otherwise have any file of this machine read."""
    member, root = members[0], Path(population.storage.url)
    file = {"folder": "", "record": "/member.json", "weights": f"/{member.weights.name}"}[kind]
    link = f"population/{member.key}{file}"
    (root / link).rename(tmp_path / "outside")
    (root / link).symlink_to(tmp_path / "outside")
    report = verify(population)
    findings = {finding.sentence: finding.what for finding in report.findings}
    assert findings.pop(f"{link} is a symbolic link, which is not followed") == "stranger"
    assert set(findings.values()) == ({"teacher missing"} if kind != "weights" else set())
    assert report.members == 3 - (kind != "weights")
    assert quarantine(population, member.key) is None


def test_a_damaged_member_is_set_aside_and_trained_again(population: Population, members: list[Member]) -> None:
    key, storage = members[1].key, Path(population.storage.url)
    weights = path(population, members[1], members[1].weights.name)
    for number in (1, 2):
        before = weights.read_bytes()
        weights.write_bytes(b"broken")
        assert quarantine(population, key) == f"damaged/{key}-{number}"
        moved = storage / "damaged" / f"{key}-{number}"
        assert (moved / weights.name).read_bytes() == b"broken"
        assert "does not match its digest" in (moved / "why.txt").read_text()
        assert key not in population
        assert found(population) == [("teacher missing", members[2].key)]
        add(population, 1, (members[0],))
        assert weights.read_bytes() == before
        assert found(population) == []


def test_a_whole_member_stays(population: Population, members: list[Member]) -> None:
    assert quarantine(population, members[0].key) is None
    assert quarantine(population, "3" * 64) is None
    assert members[0].key in population


def test_predictions_that_are_no_numbers(population: Population) -> None:
    """Written by a stranger with digests that are right."""
    arrays = predictions().arrays()
    arrays["test"][0, 0] = np.nan
    member = add(population)
    data = save(arrays)
    file = File.of("predictions", data)
    path(population, member, file.name).write_bytes(data)
    plain = {**record(member), "predictions": file.model_dump()}
    path(population, member).write_bytes(signed(plain))
    assert found(population) == [("damaged", member.key)]
