"""Every byte is checked: a member that is not what was published is found, whoever wrote it."""

import io
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from ban_ray.errors import DamagedMember
from ban_ray.population import Member, Population, open_storage
from ban_ray.population.checksummed_json import MAX_BYTES as MAX_RECORD_BYTES
from ban_ray.population.member import File
from ban_ray.specs import SEMANTICS_VERSION
from tests.helpers.members import record as record_of
from tests.helpers.members import signed
from tests.helpers.plain_members import a_generation, add, files, overwrite, predictions

KEY = a_generation().key
FLIPS = 200


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Population:
    population = Population(open_storage(str(tmp_path_factory.mktemp("published"))))
    add(population)
    return population


@pytest.fixture(scope="module")
def record(published: Population) -> dict[str, Any]:
    return record_of(published[KEY])


def read_everything(population: Population) -> None:
    member = population[KEY]
    population.weights(member)
    population.predictions(member)
    population.history(member)


@pytest.mark.parametrize("kind", ["member.json", "weights", "predictions", "history"])
def test_a_flipped_byte_is_found(published: Population, kind: str) -> None:
    read_everything(published)
    (name,) = (name for name in files(published, KEY) if name.startswith(kind))
    file = Path(published.storage.url) / "population" / KEY / name
    good = file.read_bytes()
    chance = random.Random(0)
    try:
        for _ in range(FLIPS):
            bad = bytearray(good)
            bad[chance.randrange(len(bad))] ^= chance.randrange(1, 256)
            file.write_bytes(bad)
            with pytest.raises(DamagedMember, match=KEY):
                read_everything(published)
    finally:
        file.write_bytes(good)
    read_everything(published)


@pytest.mark.parametrize("kind", ["member.json", "weights", "predictions", "history"])
@pytest.mark.parametrize(
    "spoil", [lambda data: b"", lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[: len(data) // 2]]
)
def test_another_length_is_found(population: Population, kind: str, spoil: Callable[[bytes], bytes]) -> None:
    add(population)
    (name,) = (name for name in files(population, KEY) if name.startswith(kind))
    overwrite(population.storage, KEY, name, spoil(population.storage.read(f"population/{KEY}/{name}")))
    with pytest.raises(DamagedMember, match=KEY):
        read_everything(population)


@pytest.mark.parametrize("kind", ["weights", "predictions", "history"])
def test_a_missing_file_is_named(population: Population, kind: str) -> None:
    add(population)
    (name,) = (name for name in files(population, KEY) if name.startswith(kind))
    population.storage.delete(f"population/{KEY}/{name}")
    with pytest.raises(DamagedMember, match=f"{name} is missing"):
        read_everything(population)


def test_a_member_under_another_key_is_found(population: Population) -> None:
    add(population)
    other = a_generation(1).key
    for name in files(population, KEY):
        overwrite(population.storage, other, name, population.storage.read(f"population/{KEY}/{name}"))
    with pytest.raises(DamagedMember, match="another generation"):
        population[other]


def read(data: bytes) -> Member | None:
    """The member, None where it was refused; nothing else may happen."""
    try:
        return Member.from_bytes(data, KEY)
    except DamagedMember as error:
        assert KEY in str(error)
        return None


def test_the_record_itself_is_accepted(record: dict[str, Any]) -> None:
    member = read(signed(record))
    assert member is not None
    assert record_of(member) == record


def deep(depth: int) -> object:
    made: object = 1
    for _ in range(depth):
        made = [made]
    return made


SHA = "0" * 64
CHANGES: dict[str, dict[str, Any]] = {
    "other format": {"format_version": 2},
    "format as text": {"format_version": "1"},
    "format as a list": {"format_version": [1]},
    "no format": {"format_version": None},
    "leaves the folder": {"weights": {"name": "../../../etc/passwd", "size": 1}},
    "absolute": {"weights": {"name": "/etc/passwd", "size": 1}},
    "leaves in the middle": {"weights": {"name": f"weights-{SHA}/../../x.safetensors", "size": 1}},
    "line end": {"weights": {"name": f"weights-{SHA}.safetensors\n", "size": 1}},
    "backslashes": {"weights": {"name": "..\\..\\x", "size": 1}},
    "null byte": {"history": {"name": f"history-{SHA}.parquet\0", "size": 1}},
    "no name": {"weights": {"name": "", "size": 1}},
    "negative size": {"weights": {"name": f"weights-{SHA}.safetensors", "size": -1}},
    "a pickle": {"weights": {"name": f"weights-{SHA}.pt", "size": 1}},
    "no file": {"weights": None},
    "another key": {"key": SHA},
    "text for a key": {"key": "../" + SHA},
    "teachers by name": {"teachers": {"a": "b"}},
    "teachers as a list": {"teachers": [SHA]},
    "text for parameters": {"parameters": "many"},
    "broken parameters": {"parameters": 1.5},
    "text for provenance": {"provenance": "x"},
    "no metrics": {"metrics": {}},
    "huge metric": {"metrics": {"held_out_error": 1, "held_out_log_likelihood": 1, "test_error": 10**400}},
    "no generation": {"generation": {}},
    "text for a generation": {"generation": "x"},
    "unknown field": {"extra": 1},
    "deep": {"provenance": {"a": deep(300)}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_hostile_records(record: dict[str, Any], change: str) -> None:
    """With a digest that is right, so that nothing but the check itself refuses them."""
    assert read(signed({**record, **CHANGES[change]})) is None


@pytest.mark.parametrize(
    "field", ["format_version", "key", "generation", "teachers", "metrics", "weights", "provenance"]
)
def test_a_missing_field(record: dict[str, Any], field: str) -> None:
    assert read(signed({name: value for name, value in record.items() if name != field})) is None


def test_another_generation_under_this_key(record: dict[str, Any]) -> None:
    assert read(signed({**record, "generation": {**record["generation"], "seed": 2}})) is None


def test_another_semantics_version_is_no_way_around_the_key(record: dict[str, Any]) -> None:
    """The key hashes the version too, so that a record of another version belongs under another key."""
    other = {**record, "semantics_version": SEMANTICS_VERSION + 1, "generation": {**record["generation"], "seed": 2}}
    assert read(signed(other)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"text"',
        b"{}",
        b"NaN",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"format_version":1,"sha256":NaN}',
        b'{"format_version":1,"sha256":null}',
        b"\xff\xfe",
        b"\xff",
        b'\xef\xbb\xbf{"format_version":1}',
        '{"format_version":1}'.encode("utf-16"),
        b'{"a":"\\ud800"}',
        b'{"a":1,"a":2}',
        b'{"a":' + b"1" * 5000 + b"}",
        b"[" * 1000 + b"]" * 1000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"format_version":1,"provenance":' + b"[" * 480 + b"]" * 480 + b"}",
        b"{" + b" " * MAX_RECORD_BYTES + b"}",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_hostile_bytes(data: bytes) -> None:
    assert read(data) is None


def test_depth_is_refused_wherever_it_ends() -> None:
    """Just above and just below what the parser can take."""
    for depth in (*range(100, 1100, 50), 990, 995, 999):
        nested = b"[" * depth + b"]" * depth
        for data in (nested, b'{"format_version":1,"provenance":' + nested + b"}"):
            assert read(data) is None


def test_a_record_that_is_too_large_is_refused_unread(population: Population) -> None:
    add(population)
    overwrite(population.storage, KEY, "member.json", b"x" * (MAX_RECORD_BYTES + 1))
    with pytest.raises(DamagedMember, match=f"{MAX_RECORD_BYTES + 1} bytes"):
        population[KEY]


def test_the_sentence_stays_short(record: dict[str, Any]) -> None:
    with pytest.raises(DamagedMember) as caught:
        Member.from_bytes(signed({**record, "format_version": "x" * 100_000}), KEY)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "spelling",
    [
        lambda record: json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n",
        lambda record: json.dumps(record, sort_keys=True).encode(),
        lambda record: json.dumps(dict(sorted(record.items(), reverse=True)), separators=(",", ":")).encode(),
    ],
)
def test_another_spelling_of_the_same_record_is_refused(
    record: dict[str, Any], spelling: Callable[[dict[str, Any]], bytes]
) -> None:
    """A digest is of bytes: there must be one text for one record."""
    assert read(spelling(json.loads(signed(record)))) is None


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**310)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["../x", "/etc/passwd", SHA, f"weights-{SHA}.safetensors"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert read(data) is None


@settings(max_examples=150)
@given(anything)
def test_any_json(value: object) -> None:
    assert read(json.dumps(value).encode()) is None
    if isinstance(value, dict):
        assert read(signed({"format_version": 1, **value})) is None


@settings(max_examples=300)
@given(st.data())
def test_any_value_at_any_place_of_a_record(record: dict[str, Any], data: st.DataObject) -> None:
    """Sealed with a valid digest; what is accepted reads back as this key's member and names no other place."""
    changed = json.loads(json.dumps(record))
    place = changed
    while True:
        field = data.draw(st.sampled_from(sorted(place)))
        if isinstance(place[field], dict) and place[field] and data.draw(st.booleans()):
            place = place[field]
            continue
        break
    place[field] = data.draw(anything)
    member = read(signed(changed))
    if member is not None:
        assert member.key == KEY
        for file in (member.weights, member.predictions, member.history):
            assert "/" not in file.name
            assert len(file.sha256) == 64


def tensors(header: dict[str, object], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_file(population: Population, kind: str, data: bytes) -> Member:
    """A stranger's member: every digest is right, the file is not what it says."""
    member = add(population)
    file = File.of(kind, data)
    overwrite(population.storage, KEY, file.name, data)
    overwrite(population.storage, KEY, "member.json", member.model_copy(update={kind: file}).to_bytes())
    return population[KEY]


F32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
TENSOR_FILES: dict[str, bytes] = {
    "empty": b"",
    "junk": b"x" * 100,
    "long header": struct.pack("<Q", 2**63) + b"{}",
    "unknown type": tensors({"a": {**F32, "dtype": "F33"}}, b"abcd"),
    "type without NumPy": tensors({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, b"ab"),
    "eight bits": tensors({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"a"),
    "overlap": tensors({"a": F32, "b": F32}, b"abcd"),
    "beyond the end": tensors({"a": {**F32, "data_offsets": [0, 4000]}}, b"abcd"),
    "huge shape": tensors({"a": {**F32, "shape": [2**62]}}, b"abcd"),
    "huge empty shape": tensors({"a": {**F32, "shape": [0, 2**62], "data_offsets": [0, 0]}}),
    "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("name", TENSOR_FILES)
@pytest.mark.parametrize("kind", ["weights", "predictions"])
def test_a_strangers_tensor_file(population: Population, kind: str, name: str) -> None:
    member = with_file(population, kind, TENSOR_FILES[name])
    with pytest.raises(DamagedMember, match=KEY):
        getattr(population, kind)(member)


def arrays(**changes: np.ndarray) -> bytes:
    return bytes(save({**vars(predictions()), **changes}))


@pytest.mark.parametrize("data", [save({"other": np.zeros(3)}), save({}), arrays(extra=np.zeros(2))])
def test_predictions_of_other_names(population: Population, data: bytes) -> None:
    with pytest.raises(DamagedMember, match=KEY):
        population.predictions(with_file(population, "predictions", data))


@pytest.mark.parametrize(
    "data",
    [
        arrays(test=np.zeros(3, np.float32)),
        arrays(test=np.zeros((3, 10), np.float32)),
        arrays(test_labels=np.zeros(3, np.int64)),
        arrays(test=np.zeros((20, 4), np.float32)),
        arrays(test=np.zeros((20, 10), np.int64)),
        arrays(test_labels=np.full(20, 10)),
        arrays(test=np.full((20, 10), np.nan, np.float32)),
    ],
    ids=["one axis", "fewer rows", "fewer labels", "fewer classes", "integers", "label out of range", "NaN"],
)
def test_predictions_of_other_shapes(population: Population, data: bytes) -> None:
    """What would otherwise fail far away, in an ensemble or a table."""
    with pytest.raises(DamagedMember, match=KEY):
        population.predictions(with_file(population, "predictions", data))


def parquet(**columns: list[object]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"junk" * 30])
def test_a_strangers_history_that_is_no_parquet(population: Population, data: bytes) -> None:
    with pytest.raises(DamagedMember, match=KEY):
        population.history(with_file(population, "history", data))


def test_a_strangers_history_that_is_broken_inside(population: Population) -> None:
    good, chance = parquet(epoch=[1, 2], loss=[1.0, 0.5]), random.Random(1)
    cases = [b"PAR1" + bytes(40) + b"PAR1"]
    for _ in range(40):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] = chance.randrange(256)
        cases.append(bytes(bad))
    refused = []
    for case in cases:
        member = with_file(population, "history", case)
        try:
            history = population.history(member)
        except DamagedMember as error:
            assert KEY in str(error)
            refused.append(case)
        else:
            # A column's name or a number may be another, which no reader can see.
            assert all(len(record) == 2 for record in history)
            assert all(isinstance(value, int | float | None) for record in history for value in record.values())
        population.storage.delete(f"population/{KEY}")
    assert cases[0] in refused
    assert 1 < len(refused) < len(cases), "some broken, some not in what is read"
