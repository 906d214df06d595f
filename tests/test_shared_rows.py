"""Rows that the processes of a node share."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ban_ray.training.teacher_cache.shared_memory import Numbers, Rows, SharedMemoryTable, bytes_needed

WIDTH, NUMBERS = 10, 5000


def of(numbers: Numbers) -> Rows:
    """A row that tells its number."""
    return (numbers[:, None] * np.linspace(-1, 1, WIDTH)).astype(np.float16)


def opened(folder: Path, rows: int = NUMBERS, name: str = "teacher") -> SharedMemoryTable:
    return SharedMemoryTable(name, NUMBERS, WIDTH, bytes_needed(NUMBERS, rows, WIDTH), folder)


def test_what_was_added_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as rows:
        first, second = np.array([7, 3, 4999]), np.array([3, 0, 12])
        rows.add(first, of(first))
        rows.add(second, of(second))
        asked = np.array([0, 1, 3, 4999, 2, 7])
        there, found = rows.lookup(asked)
        assert there.tolist() == [True, False, True, True, False, True]
        assert np.array_equal(found, of(asked[there]))
        assert len(rows) == 5
        numbers, all_rows = rows.all()
        assert numbers.tolist() == [0, 3, 7, 12, 4999]
        assert np.array_equal(all_rows, of(numbers))


def test_what_does_not_fit_is_not_kept(tmp_path: Path) -> None:
    with opened(tmp_path, rows=100) as rows:
        asked = np.arange(0, 260, 2)
        rows.add(asked, of(asked))
        there, found = rows.lookup(asked)
        assert len(rows) == there.sum() == 100
        assert np.array_equal(found, of(asked[there]))
        assert sum(file.stat().st_blocks * 512 for file in tmp_path.iterdir()) < 2**20


def test_a_limit_below_its_table_keeps_nothing(tmp_path: Path) -> None:
    with SharedMemoryTable("teacher", NUMBERS, WIDTH, 100, tmp_path) as rows:
        rows.add(np.arange(5), of(np.arange(5)))
        assert not rows.lookup(np.arange(5))[0].any()


def full(*_: int) -> None:
    raise OSError(28, "No space left on device")


def test_no_room_for_rows_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as rows:
        monkeypatch.setattr(os, "posix_fallocate", full)
        rows.add(np.arange(5), of(np.arange(5)))
        assert len(rows) == 0


def test_no_room_for_the_table_is_told_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        opened(tmp_path)
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]
    monkeypatch.undo()
    with opened(tmp_path) as rows:
        assert len(rows) == 0


def test_the_table_is_in_memory_that_was_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path):
        table = (tmp_path / "teacher.table").stat()
        assert table.st_blocks * 512 >= table.st_size > 4 * NUMBERS


def test_a_limit_beyond_all_numbers_is_all_numbers(tmp_path: Path) -> None:
    with SharedMemoryTable("teacher", NUMBERS, WIDTH, 10**18, tmp_path) as rows:
        assert rows.capacity == NUMBERS


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(PermissionError, match="another user"):
        opened(tmp_path)


def test_killed_between_two_writes(tmp_path: Path) -> None:
    """The next rows do not go where the places of the unfinished ones point."""

    with opened(tmp_path) as other:
        for part in ("_rows", "_slots"):
            dying = opened(tmp_path)
            setattr(dying, part, _Dying(getattr(dying, part)))
            with pytest.raises(KeyboardInterrupt):
                dying.add(np.arange(10), of(np.arange(10)))
        later = np.arange(100, 110)
        other.add(later, of(later))
        assert not other.lookup(np.arange(10))[0].any()
        assert np.array_equal(other.lookup(later)[1], of(later))


class _Dying:
    """Memory at which a process dies when it writes."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getitem__(self, numbers: Numbers) -> object:
        return self._real[numbers]  # type: ignore[index]

    def __setitem__(self, *_: object) -> None:
        raise KeyboardInterrupt


def test_memory_is_given_back(tmp_path: Path) -> None:
    rows = opened(tmp_path)
    rows.add(np.arange(5), of(np.arange(5)))
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    rows.close()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_the_last_to_close_deletes(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    one.add(np.arange(5), of(np.arange(5)))
    one.close()
    assert other.lookup(np.arange(6))[0].sum() == 5
    other.close()
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]
    with opened(tmp_path) as again:
        assert len(again) == 0


def _fill(folder: Path, start: int) -> None:
    with opened(folder) as rows:
        for first in range(start, NUMBERS, 50):
            numbers = np.arange(first, min(first + 75, NUMBERS))
            rows.add(numbers, of(numbers))


def test_processes_add_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with opened(tmp_path) as rows:
        processes = [context.Process(target=_fill, args=(tmp_path, start)) for start in (0, 10, 20)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        numbers, found = rows.all()
        assert len(numbers) == len(rows) == NUMBERS
        assert np.array_equal(found, of(numbers))


def _killed(folder: Path, name: str) -> None:
    rows = opened(folder, name=name)
    rows.add(np.arange(5), of(np.arange(5)))
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path, "other"))
    process.start()
    process.join()
    assert (tmp_path / "other.rows").exists()
    with opened(tmp_path):
        assert not (tmp_path / "other.rows").exists()
