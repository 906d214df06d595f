"""A folder as a storage: whole or not at all, once or not at all, also among processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import checkpoints, claims, failures
from ban_ray.storage.local import LocalStorage

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "inside")


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("key", ["../" * 3 + "x", "/tmp/x", "x/../../y", "0" * 63 + "\n", ""])
def test_what_is_no_key_names_no_place(storage: LocalStorage, tmp_path: Path, key: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: claims.acquire(storage, key, "run"),
        lambda: claims.current(storage, key),
        lambda: checkpoints.save(storage, key, "run", 1, b""),
        lambda: list(checkpoints.newest_first(storage, key)),
        lambda: checkpoints.clear(storage, key),
        lambda: failures.record(storage, key, "error", "sentence", "search"),
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
                raise OSError(28, "No space left on device")

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

    def recorded(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            return real(*arguments, **named)

        return call

    for name in ("fsync", "replace", "link"):
        monkeypatch.setattr(os, name, recorded(name))
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
