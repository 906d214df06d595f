"""The storage: whole or not at all, once or not at all, and nowhere else."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from ban_ray.errors import UserError
from ban_ray.population import checkpoints, claims, failures, open_storage
from ban_ray.storage.base import Storage, TooLarge
from ban_ray.storage.local import LocalStorage
from ban_ray.storage.object_store import ObjectStorage
from ban_ray.storage.retrying import RetryingStorage

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "inside")


@pytest.fixture(params=["folder", "patient", "bucket"])
def any_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """Every kind of storage, for what all of them promise."""
    if request.param == "bucket":
        return ObjectStorage(MemoryStore(), "memory://")
    local = LocalStorage(tmp_path / "inside")
    return RetryingStorage(local, patience_s=0) if request.param == "patient" else local


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_write_read_replace_delete(any_storage: Storage) -> None:
    storage = any_storage
    storage.write("a/b/c", b"one")
    assert storage.read("a/b/c") == b"one"
    storage.write("a/b/c", b"two")
    assert storage.read("a/b/c") == b"two"
    assert storage.exists("a/b/c")
    assert storage.exists("a/b")
    assert not storage.exists("a/b/x")
    assert not storage.exists("a/b/c/d")
    assert storage.list("a") == ["b"]
    storage.write("other", b"stays")
    storage.delete("a/b/c")
    storage.delete("a/b/c")
    assert not storage.exists("a/b/c")
    storage.write("a/b/d", b"")
    storage.write("ab", b"stays")
    storage.delete("a")
    storage.delete("a")
    assert storage.list("a") == []
    assert storage.list("not/there") == []
    assert storage.read("ab") == b"stays"
    with pytest.raises(FileNotFoundError):
        storage.read("a/b/d")


def test_names_are_sorted_and_scratch_files_hidden(any_storage: Storage) -> None:
    for name in ("b", "a", "c", ".scratch"):
        any_storage.write(f"place/{name}", b"")
    assert any_storage.list("place") == ["a", "b", "c"]
    assert any_storage.list("place/a") == []


def test_create_is_once(any_storage: Storage) -> None:
    assert any_storage.create("place/new", b"first")
    assert not any_storage.create("place/new", b"second")
    assert any_storage.read("place/new") == b"first"
    any_storage.delete("place/new")
    assert any_storage.create("place/new", b"third")


def test_a_large_file_is_not_read(any_storage: Storage) -> None:
    any_storage.write("file", b"12345")
    assert any_storage.read("file", at_most=5) == b"12345"
    with pytest.raises(TooLarge, match="5 bytes"):
        any_storage.read("file", at_most=4)


@pytest.mark.parametrize("path", ["", ".", "/", "/etc/x", "..", "../x", "a/../../x", "a/..", "../inside/x", "a/../b"])
def test_nothing_leaves_the_storage(any_storage: Storage, tmp_path: Path, path: str) -> None:
    storage = any_storage
    (tmp_path / "x").write_bytes(b"mine")
    asks: list[Callable[[], object]] = [
        lambda: storage.read(path),
        lambda: storage.write(path, b"bad"),
        lambda: storage.create(path, b"bad"),
        lambda: storage.exists(path),
        lambda: storage.list(path),
        lambda: storage.delete(path),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="leaves the storage"):
            ask()
    assert everything(tmp_path) == {"x"}
    assert (tmp_path / "x").read_bytes() == b"mine"


@pytest.mark.parametrize("key", ["../" * 3 + "x", "/tmp/x", "x/../../y", "0" * 63 + "\n", ""])
def test_what_is_no_key_names_no_place(storage: LocalStorage, tmp_path: Path, key: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: claims.acquire(storage, key, "run"),
        lambda: claims.current(storage, key),
        lambda: checkpoints.save(storage, key, "run", 1, b""),
        lambda: list(checkpoints.newest_first(storage, key)),
        lambda: checkpoints.clear(storage, key),
        lambda: failures.record(storage, key, "reason", "sentence", "search"),
        lambda: failures.lookup(storage, key, "search"),
        lambda: failures.forget(storage, key),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match="is no key"):
            ask()
    assert everything(tmp_path) == set()


@pytest.mark.parametrize("name", ["link", "replace", "fsync", "write"])
@pytest.mark.parametrize("operation", ["write", "create"])
def test_what_fails_leaves_nothing_behind(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, name: str
) -> None:
    """The old content stays as it was, and no scratch file lies about."""
    storage.write("place/old", b"old")

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if name == "write":
            real = Path.open

            def half(self: Path, *arguments: object, **named: object) -> object:
                file = real(self, *arguments, **named)  # type: ignore[call-overload]
                file.write(b"ha")
                file.close()
                return broken()

            patch.setattr(Path, "open", half)
        else:
            patch.setattr(os, name, broken)
        path = "place/old" if operation == "write" else "place/new"
        used = {"write": {"replace", "fsync", "write"}, "create": {"link", "fsync", "write"}}[operation]
        if name in used:
            with pytest.raises(OSError, match="No space"):
                getattr(storage, operation)(path, b"new")
        else:
            getattr(storage, operation)(path, b"new")
    left = everything(tmp_path)
    if name in used:
        assert left == {"inside/place/old"}
        assert storage.read("place/old") == b"old"
    else:
        assert storage.read(path) == b"new"
        assert not any(Path(file).name.startswith(".") for file in left)


def test_everything_is_on_disk_before_it_has_a_name(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the calls: the content is forced out, then named, then the name is forced out."""
    calls: list[str] = []
    for name in ("fsync", "replace", "link"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, real=real, name=name, **named: (calls.append(name), real(*given, **named))[1]
        )
    storage.write("a", b"1")
    assert calls == ["fsync", "replace", "fsync"]
    calls.clear()
    assert storage.create("b", b"1")
    assert calls == ["fsync", "link", "fsync"]


def test_a_reader_never_sees_a_part(storage: LocalStorage) -> None:
    """Neither while a file is replaced nor while it is made."""
    sizes = (3_000_000, 1_000_000)
    storage.write("file", b"a" * sizes[0])
    stop = threading.Event()
    seen: list[tuple[int, int]] = []

    def watch() -> None:
        while not stop.is_set():
            data = storage.read("file")
            seen.append((len(data), len(set(data))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for turn in range(12):
        storage.write("file", bytes([turn]) * sizes[turn % 2])
    stop.set()
    watcher.join()
    assert set(seen) <= {(size, 1) for size in sizes}
    assert seen


def test_create_is_exclusive_among_threads(any_storage: Storage) -> None:
    storage = any_storage
    for attempt in range(10):
        barrier = threading.Barrier(8)
        made: list[tuple[int, bool]] = []

        def run(number: int, path: str, barrier: threading.Barrier, made: list[tuple[int, bool]]) -> None:
            barrier.wait()
            made.append((number, storage.create(path, f"{number}".encode())))

        given = (f"place/{attempt}", barrier, made)
        threads = [threading.Thread(target=run, args=(number, *given)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [number for number, won in made if won]
        assert len(made) == 8
        assert len(winners) == 1
        assert storage.read(f"place/{attempt}") == f"{winners[0]}".encode()


RACE = """
import sys
from pathlib import Path
from ban_ray.population import claims
from ban_ray.storage.local import LocalStorage

number, root, key = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
storage = LocalStorage(root)
print("ready", flush=True)
sys.stdin.readline()
won = [attempt for attempt in range(50) if storage.create(f"place/{attempt}", str(number).encode())]
claim = claims.acquire(storage, key, f"run {number}")
print(*won, flush=True)
print(claim is not None, flush=True)
sys.stdin.readline()
"""


def test_create_and_claims_are_exclusive_among_processes(storage: LocalStorage, tmp_path: Path) -> None:
    key = "0" * 64
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(number), str(tmp_path / "inside"), key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        for number in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [[int(number) for number in process.stdout.readline().split()] for process in processes]  # type: ignore[union-attr]
        claimed = [process.stdout.readline().strip() == "True" for process in processes]  # type: ignore[union-attr]
        assert sorted(attempt for attempts in won for attempt in attempts) == list(range(50))
        for number, attempts in enumerate(won):
            assert all(storage.read(f"place/{attempt}") == str(number).encode() for attempt in attempts)
        assert sum(claimed) == 1
        assert claims.current(storage, key)[0] == 1
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_storage_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UserError) as caught:
        open_storage(str(file))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_system_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    with pytest.raises(UserError, match="cannot be written: Operation not supported"):
        open_storage(str(tmp_path / "storage"))


def test_opening_leaves_nothing_behind(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "storage"))
    assert everything(tmp_path) == set()
