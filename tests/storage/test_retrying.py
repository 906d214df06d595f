"""A storage that is gone for a while: waited for, never made again in its place, and told from a missing file."""

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ban_ray.errors import UserError
from ban_ray.population import LocalStorage, Storage, claims, find_storage, open_storage
from ban_ray.storage import local as local_storage
from ban_ray.storage.local import StorageGone
from ban_ray.storage.retrying import RetryingStorage


def later(action: Callable[[], object], seconds: float = 0.4) -> threading.Thread:
    def run() -> None:
        time.sleep(seconds)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda storage: storage.read("a/b"), b"1"),
        (lambda storage: storage.exists("a/b"), True),
        (lambda storage: storage.list("a"), ["b"]),
        (lambda storage: list(storage.versions("a", "c")), []),
        (lambda storage: storage.create("a/b", b"2"), False),
        (lambda storage: storage.create("c/d", b"2"), True),
        (lambda storage: storage.write("c/d", b"2"), None),
    ],
)
def test_it_is_waited_for(root: Path, left: str, ask: Callable[[Storage], object], answer: object) -> None:
    """As while a network file system is not mounted."""
    storage = open_storage(str(root))
    storage.write("a/b", b"1")
    away = root.rename(root.with_name("away"))
    if left == "an empty folder":
        root.mkdir()

    def back() -> None:
        if root.is_dir():
            root.rmdir()
        away.rename(root)

    thread = later(back)
    assert ask(storage) == answer
    thread.join()
    assert storage.read("a/b") == b"1"


def test_patience_ends(root: Path) -> None:
    storage = open_storage(str(root), patience_s=0.3)
    storage.write("a/b", b"1")
    root.rename(root.with_name("away"))
    began = time.monotonic()
    with pytest.raises(StorageGone):
        storage.write("a/c", b"1")
    assert 0.3 <= time.monotonic() - began < 10
    assert not root.exists(), "what is mounted here later must not be hidden"


def test_what_was_emptied_on_purpose_is_not_gone(root: Path) -> None:
    storage = LocalStorage(root)
    storage.write("a", b"1")
    storage.delete("a")
    assert not storage.exists("a")
    assert storage.list("b") == []
    storage.write("b", b"1")


def test_finding_makes_nothing(root: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        find_storage(str(root))
    assert not root.exists()
    thread = later(root.mkdir)
    find_storage(str(root), patience_s=20)
    thread.join()


class Failing:
    """Raises the given errors, one a call, before or after the inner storage has done its work."""

    def __init__(self, inner: Storage, errors: list[int], *, after: bool = False) -> None:
        self._inner, self._errors, self._after = inner, errors, after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            code = self._errors.pop(0) if self._errors else 0
            if code and not self._after:
                raise OSError(code, "made up")
            result = inner(*arguments, **named)
            if code:
                raise OSError(code, "made up")
            return result

        return call


def retrying(inner: Any, waits: list[float] | None = None) -> RetryingStorage:
    return RetryingStorage(inner, sleep=(waits if waits is not None else []).append)


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN])
def test_a_passing_error_is_tried_again_with_growing_pauses(root: Path, code: int) -> None:
    waits: list[float] = []
    storage = retrying(Failing(LocalStorage(root), [code] * 5), waits)
    storage.write("a", b"1")
    assert storage.read("a") == b"1"
    assert len(waits) == 5
    assert waits[-1] > 4 * waits[0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ENOENT])
def test_an_error_that_does_not_pass_is_raised_at_once(root: Path, code: int) -> None:
    failing = Failing(LocalStorage(root), [code])
    with pytest.raises(OSError, match="made up") as caught:
        retrying(failing).write("a", b"1")
    assert caught.value.errno == code
    assert failing.calls == 1


def test_a_creation_whose_answer_was_lost_is_ones_own(root: Path) -> None:
    storage = retrying(Failing(LocalStorage(root), [errno.ETIMEDOUT], after=True))
    assert storage.create("a", b"mine")
    assert LocalStorage(root).read("a") == b"mine"


def test_a_creation_that_failed_before_anothers_is_the_others(root: Path) -> None:
    LocalStorage(root).write("a", b"the other's")
    assert not retrying(Failing(LocalStorage(root), [errno.ETIMEDOUT])).create("a", b"mine")
    assert not retrying(LocalStorage(root)).create("a", b"the other's"), "the same bytes, and no failure of one's own"


def test_a_move_whose_answer_was_lost(root: Path) -> None:
    LocalStorage(root).write("a/b", b"1")
    # `move` fails after its work; then both ends are looked at.
    retrying(Failing(LocalStorage(root), [errno.ETIMEDOUT], after=True)).move("a", "c")
    assert LocalStorage(root).list("c") == ["b"]


def test_a_link_whose_answer_was_lost(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS repeats the request and then tells that the name exists."""
    real = os.link

    def lost(source: Path, target: Path) -> None:
        real(source, target)
        raise FileExistsError(errno.EEXIST, "exists")

    monkeypatch.setattr(os, "link", lost)
    assert LocalStorage(root).create("a", b"mine")


@pytest.mark.parametrize("step", ["write_temporary", "link"])
def test_a_folder_that_is_deleted_while_a_file_is_placed(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Another process ends the claims of the same key: before the file is begun, or before it has its name."""
    storage, left = LocalStorage(root), [3]
    storage.write("other", b"")
    real = getattr(local_storage, step)

    def deletes_first(*arguments: object) -> object:
        if left[0]:
            left[0] -= 1
            storage.delete("claims")
        return real(*arguments)

    monkeypatch.setattr(local_storage, step, deletes_first)
    assert storage.create("claims/key/1", b"1")
    assert left == [0]
    assert storage.read("claims/key/1") == b"1"


def test_many_delete_and_create_at_once(root: Path) -> None:
    storage = LocalStorage(root)
    storage.write("other", b"")

    def churn(number: int) -> None:
        for turn in range(20):
            storage.create(f"claims/key/{number}-{turn}", b"")
            if turn % 5 == 4:
                storage.delete("claims")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, range(4)))
    storage.delete("claims")
    assert storage.list("claims") == []


def test_a_folder_that_may_not_be_deleted_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(root)
    storage.write("a/b", b"1")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        storage.delete("a")


def test_links_are_deleted_and_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"1")
    storage = LocalStorage(root)
    storage.write("a/b", b"1")
    (root / "a" / "link").symlink_to(outside)
    (root / "direct").symlink_to(outside)
    storage.delete("a")
    storage.delete("direct")
    assert (outside / "file").read_bytes() == b"1"
    assert not (root / "direct").is_symlink()


def test_a_waiter_that_could_not_look_does_not_take_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the storage is gone the holder cannot renew its claim either."""
    key, clock, storage = "0" * 64, [0.0], LocalStorage(root)
    record = {"run": "theirs", "owner": {}, "counter": 1, "released": False}
    storage.write(f"claims/{key}/000001.json", json.dumps(record).encode())
    looks = iter([1.0, 1.0, claims.STALE_S + 30, *([1.0] * 100)])
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda _: clock.__setitem__(0, clock[0] + next(looks)))
    assert claims.wait(storage, key, lambda: False) == 1
    assert clock[0] > 2 + claims.STALE_S + 30 + claims.STALE_S, "the clock began again after the outage"
