"""`member.json` written by someone who means harm: refused with a sentence, or harmless."""

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ban_ray.errors import DamagedMember
from ban_ray.population import LocalStorage, Member, Population
from ban_ray.population.checksummed_json import MAX_BYTES as MAX_RECORD_BYTES
from tests.helpers.members import add, chain, path, record, signed

PER_EXAMPLE = 25
Edit = Callable[[random.Random, Any], Any]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    -0.0,
    1e308,
    5e-324,
    2**63,
    2**70,
    10**400,
    "",
    "0",
    "1",
    "x",
    "../../../etc/passwd",
    "/etc/passwd",
    "weights-" + "0" * 64 + ".safetensors",
    "weights-" + "0" * 64 + ".safetensors\n",
    "weights-" + "0" * 63 + "\N{ARABIC-INDIC DIGIT ZERO}.safetensors",
    "history-../../x.parquet",
    "0" * 64,
    "F" * 64,
    "0" * 64 + "\n",
    "\x00",
    "\x1b]0;title\x07",
    "x" * 10_000,
    [],
    {},
    [1],
    {"a": 1},
    {"name": "weights-" + "0" * 64 + ".safetensors", "size": -1},
    nested(31),
    nested(100),
    {"__class__": "os.system", "py/object": "os.system"},
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a tree."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(way for key, item in items for way in places(item, (*above, key)))]


def edited(chance: random.Random, plain: Any, way: tuple[Any, ...]) -> Any:
    """A copy whose value at the end of the way is changed, dropped, doubled or renamed."""
    if not way:
        return chance.choice(VALUES)
    copy = json.loads(json.dumps(plain))
    holder = copy
    for step in way[:-1]:
        holder = holder[step]
    step, old = way[-1], holder[way[-1]]
    edit = chance.choice(["value", "value", "value", "drop", "wrap", "text", "number", "stretch", "add", "rename"])
    if edit == "drop":
        del holder[step]
    elif edit == "rename" and isinstance(holder, dict):
        holder[chance.choice([f"{step}x", step.upper(), "__proto__", "../x"])] = holder.pop(step)
    elif edit == "add" and isinstance(old, dict):
        old[chance.choice(["extra", "0" * 64, "sha256", "format_version", "../x"])] = chance.choice(VALUES)
    else:
        holder[step] = {
            "wrap": [old],
            "text": str(old),
            "number": len(str(old)),
            "stretch": 2 * old if isinstance(old, str | list) else {"a": old},
        }.get(edit, chance.choice(VALUES))
    return copy


def spelled(chance: random.Random, plain: Any) -> bytes:
    """With a right digest, a wrong one, or none; canonical or not; whole or not."""
    how = chance.choice(["signed"] * 6 + ["unsigned", "wrong", "spaces", "cut", "twice", "noise"])
    try:
        data = signed(plain) if isinstance(plain, dict) else json.dumps(plain).encode()
    except ValueError:
        return json.dumps(plain).encode()
    if how == "unsigned":
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    if how == "wrong":
        return data.replace(b'"sha256":"', b'"sha256":"0', 1)
    if how == "spaces":
        return json.dumps(json.loads(data), sort_keys=True).encode()
    if how == "cut":
        return data[: chance.randrange(len(data) + 1)]
    if how == "twice":
        return data[:-1] + b"," + data[1:]
    if how == "noise":
        noisy = bytearray(data)
        noisy[chance.randrange(len(noisy))] = chance.randrange(256)
        return bytes(noisy)
    return data


NAME = re.compile(r"(weights|predictions)-[0-9a-f]{64}\.safetensors|history-[0-9a-f]{64}\.parquet")


def refused_or_harmless(data: bytes, key: str) -> bool:
    """Whether it is refused; what is taken is a member of this key with values of the right types and sizes."""
    try:
        member = Member.from_bytes(data, key)
    except DamagedMember as error:
        assert key in str(error)
        assert len(str(error)) < 1000
        return True
    assert member.key == member.generation.key == key
    assert all(NAME.fullmatch(file.name) and "\n" not in file.name for file in member.files)
    assert [file.kind for file in member.files] == ["weights", "predictions", "history"]
    assert all(type(file.size) is int and 0 <= file.size < 2**53 for file in member.files)
    assert type(member.parameters) is int
    assert 0 <= member.parameters < 2**53
    assert all(re.fullmatch("[0-9a-f]{64}", text) for pair in member.teachers.items() for text in pair)
    assert Member.from_bytes(member.to_bytes(), key) == member
    # Only a default of the spec that is written out makes another text.
    again, given = json.loads(member.to_bytes()), json.loads(data)
    for plain in (again, given):
        del plain["sha256"], plain["generation"]
    assert json.dumps(again) == json.dumps(given)
    return False


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Member:
    """With a teacher, so that every field is in use."""
    return chain(Population(LocalStorage(tmp_path_factory.mktemp("hostile"))), 2)[1]


def attack(member: Member, seed: int) -> int:
    """The number of records that were refused, of `PER_EXAMPLE`."""
    chance, plain = random.Random(seed), record(member)
    ways, refused = places(plain), 0
    for _ in range(PER_EXAMPLE):
        bad = plain
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            if bad is plain or isinstance(bad, dict):
                bad = edited(chance, bad, chance.choice(ways if bad is plain else places(bad)))
        refused += refused_or_harmless(spelled(chance, bad), member.key)
    return refused


@settings(max_examples=420, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**64))
def test_ten_thousand_hostile_records(member: Member, seed: int) -> None:
    """420 x 25 records: valid ones whose structure was changed, most of them with a digest that is right."""
    assert attack(member, seed) >= 1


@pytest.mark.slow
@settings(max_examples=20_000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**64))
def test_half_a_million_hostile_records(member: Member, seed: int) -> None:
    attack(member, seed)


def test_the_record_itself_is_taken(member: Member) -> None:
    assert not refused_or_harmless(member.to_bytes(), member.key)


@pytest.mark.parametrize("version", [0, 2, -1, True, 1.5, "1", None, [1], "x" * 5000])
def test_another_format_is_refused_with_a_sentence(member: Member, version: object) -> None:
    data = signed({**record(member), "format_version": version})
    with pytest.raises(DamagedMember) as caught:
        Member.from_bytes(data, member.key)
    text = str(caught.value)
    assert len(text) < 300
    if version is not True:
        assert re.search("format version .* which is not known; this version reads 1", text)


def _sparse(file: Path, size: int) -> None:
    file.touch()
    os.truncate(file, size)


@pytest.mark.parametrize(
    "make",
    [
        lambda place: place.write_bytes(b" " * (MAX_RECORD_BYTES + 1)),
        lambda place: _sparse(place, 1 << 40),
        lambda place: place.mkdir(),
        lambda place: os.mkfifo(place),
        lambda place: place.symlink_to("/dev/zero"),
        lambda place: place.write_bytes(b'{"a":' * 200_000),
        lambda place: place.write_bytes(b"[" * 1_000_000),
        lambda place: place.write_bytes(b'{"format_version":' + b"9" * 5000 + b"}"),
    ],
    ids=["long", "a terabyte of holes", "folder", "pipe", "device", "deep", "deeper", "digits"],
)
def test_what_stands_in_the_records_place(population: Population, make: Callable[[Path], object]) -> None:
    member = add(population)
    path(population, member).unlink()
    make(path(population, member))
    with pytest.raises(DamagedMember, match=member.key):
        population.get(member.key)
    assert list(population) == population.records() == []


@pytest.mark.parametrize("make", [lambda place: place.mkdir(), lambda place: os.truncate(place, 1 << 40)])
def test_what_stands_in_a_files_place(population: Population, make: Callable[[Path], object]) -> None:
    member = add(population)
    place = path(population, member, member.weights.name)
    if make.__code__.co_names[0] == "mkdir":
        place.unlink()
    make(place)
    with pytest.raises(DamagedMember, match="weights"):
        population.weights(member)
