"""The contract of a storage, which a folder, a bucket in memory and a bucket on a server keep alike."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from obstore.store import MemoryStore

from ban_ray.storage.base import NotAFile, Storage, TooLarge
from ban_ray.storage.local import LocalStorage
from ban_ray.storage.object_store import ObjectStorage
from ban_ray.storage.opening import open_storage
from ban_ray.storage.retrying import RetryingStorage
from tests.helpers.s3_server import s3, s3_server  # noqa: F401


@pytest.fixture(params=["folder", "retrying", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return open_storage(request.getfixturevalue("s3"))
    if request.param == "memory":
        return ObjectStorage(MemoryStore(), "memory://")
    local = LocalStorage(tmp_path / "storage")
    return RetryingStorage(local, patience_s=0) if request.param == "retrying" else local


def test_what_is_written_is_read(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read("a/b")
    storage.write("a/b", b"one")
    storage.write("a/b", b"two")
    assert storage.read("a/b") == b"two"
    assert storage.read("a/b", at_most=3) == b"two"
    with pytest.raises(TooLarge):
        storage.read("a/b", at_most=2)


def test_the_head_of_a_file(storage: Storage) -> None:
    storage.write("a/b", b"12345")
    storage.write("a/empty", b"")
    assert [storage.head("a/b", size) for size in (2, 5, 99)] == [b"12", b"12345", b"12345"]
    assert storage.head("a/empty", 9) == b""
    with pytest.raises(FileNotFoundError):
        storage.head("a/c", 1)


def test_a_file_of_many_megabytes(storage: Storage) -> None:
    """Buckets take such a file in parts."""
    data = bytes(range(256)) * 50_000
    storage.write("large", data)
    assert storage.create("other", data)
    assert storage.read("large") == storage.read("other") == data


def test_creation_is_exclusive(storage: Storage) -> None:
    assert storage.create("a/b", b"one")
    assert not storage.create("a/b", b"two")
    assert storage.read("a/b") == b"one"
    storage.delete("a/b")
    assert storage.create("a/b", b"three")


def test_of_many_creators_one_succeeds(storage: Storage) -> None:
    for attempt in range(5):
        barrier = threading.Barrier(6)
        won: list[int] = []

        def run(
            number: int, attempt: int = attempt, barrier: threading.Barrier = barrier, won: list[int] = won
        ) -> None:
            barrier.wait()
            if storage.create(f"race/{attempt}", str(number).encode()):
                won.append(number)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert storage.read(f"race/{attempt}") == str(won[0]).encode()


def test_names_below_a_folder(storage: Storage) -> None:
    for path in ("a/c", "a/b/x", "a/b/y", "a/.hidden", "ab/z"):
        storage.write(path, b"123")
    assert storage.list("a") == ["b", "c"]
    assert storage.list("a/b") == ["x", "y"]
    assert storage.list("a/c") == storage.list("nothing") == []
    assert storage.exists("a/b/x")
    assert storage.exists("a/b")
    assert not storage.exists("a/b/z")
    assert not storage.exists("a/b/x/y")


def test_a_folder_is_no_file(storage: Storage) -> None:
    storage.write("a/b", b"1")
    with pytest.raises((NotAFile, FileNotFoundError)):
        storage.read("a")


def test_sizes_and_times(storage: Storage) -> None:
    storage.write("a/c", b"123")
    storage.write("a/.hidden", b"")
    storage.write("a/b/x", b"")
    hidden, folder, file = storage.entries("a")
    assert [(one.name, one.is_folder, one.size) for one in (hidden, folder, file)] == [
        (".hidden", False, 0),
        ("b", True, 0),
        ("c", False, 3),
    ]
    assert file.modified == pytest.approx(time.time(), abs=60)


def test_marks_change_with_the_file(storage: Storage) -> None:
    storage.write("rooms/1/record", b"one")
    storage.write("rooms/2/other", b"one")
    storage.write("rooms/3/deeper/record", b"one")
    storage.write("rooms/record", b"one")
    before = storage.versions("rooms", "record")
    assert list(before) == ["1"]
    assert storage.versions("rooms", "record") == before
    storage.write("rooms/1/record", b"another")
    assert storage.versions("rooms", "record") != before
    assert storage.versions("nothing", "record") == {}


def test_deleting(storage: Storage) -> None:
    for path in ("a/b", "a/c/d", "a/c/.e", "ab"):
        storage.write(path, b"1")
    storage.delete("a/b")
    storage.delete("a/b")
    assert storage.list("a") == ["c"]
    storage.delete("a")
    storage.delete("a")
    assert not storage.exists("a")
    assert storage.read("ab") == b"1"


def test_moving(storage: Storage) -> None:
    for path in ("a/b", "a/c/d"):
        storage.write(path, path.encode())
    storage.move("a", "z/y")
    assert storage.read("z/y/b") == b"a/b"
    assert storage.read("z/y/c/d") == b"a/c/d"
    assert not storage.exists("a")
    storage.move("z/y/b", "one")
    assert storage.read("one") == b"a/b"
    with pytest.raises(FileExistsError):
        storage.move("one", "z/y/c/d")
    with pytest.raises(FileNotFoundError):
        storage.move("nothing", "other")


@pytest.mark.parametrize("path", ["", ".", "/", "/x", "..", "../x", "a/../../x", "a/..", "a\0b"])
def test_nothing_leaves_the_storage(storage: Storage, tmp_path: Path, path: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: storage.read(path),
        lambda: storage.write(path, b""),
        lambda: storage.create(path, b""),
        lambda: storage.exists(path),
        lambda: storage.list(path),
        lambda: storage.entries(path),
        lambda: storage.versions(path, "x"),
        lambda: storage.versions("x", path),
        lambda: storage.move(path, "x"),
        lambda: storage.move("x", path),
        lambda: storage.delete(path),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="leaves the storage"):
            ask()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_free_space_where_it_is_known(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is as full as its disk; a bucket does not tell."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=123))
    assert storage.free_bytes() == (None if "://" in storage.url else 123)
