"""The table of rows that the processes of a node share."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ban_ray.training.teacher_cache.shared_memory import Numbers, Rows, SharedMemoryTable, bytes_needed

WIDTH, NUMBERS = 10, 5000


def rows_of(numbers: Numbers) -> Rows:
    """Rows from which their numbers can be read."""
    return (numbers[:, None] * np.linspace(-1, 1, WIDTH)).astype(np.float16)


def opened(folder: Path, rows: int = NUMBERS, name: str = "teacher") -> SharedMemoryTable:
    return SharedMemoryTable(name, NUMBERS, WIDTH, bytes_needed(NUMBERS, rows, WIDTH), folder)


def tables(folder: Path) -> list[Path]:
    return list(folder.glob("*.cache"))


def test_what_was_added_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as table:
        first, second = np.array([7, 3, 4999]), np.array([3, 0, 12])
        table.add(first, rows_of(first))
        table.add(second, rows_of(second))
        asked = np.array([0, 1, 3, 4999, 2, 7])
        found, rows = table.lookup(asked)
        assert found.tolist() == [True, False, True, True, False, True]
        assert np.array_equal(rows, rows_of(asked[found]))
        assert len(table) == 5
        numbers, all_rows = table.items()
        assert numbers.tolist() == [0, 3, 7, 12, 4999]
        assert np.array_equal(all_rows, rows_of(numbers))


def test_what_does_not_fit_is_not_kept(tmp_path: Path) -> None:
    with opened(tmp_path, rows=100) as table:
        asked = np.arange(0, 260, 2)
        table.add(asked, rows_of(asked))
        found, rows = table.lookup(asked)
        assert len(table) == found.sum() == 100
        assert np.array_equal(rows, rows_of(asked[found]))
        assert sum(file.stat().st_blocks * 512 for file in tmp_path.iterdir()) < 2**20


def test_a_limit_below_its_table_keeps_nothing(tmp_path: Path) -> None:
    with SharedMemoryTable("teacher", NUMBERS, WIDTH, 100, tmp_path) as table:
        table.add(np.arange(5), rows_of(np.arange(5)))
        assert not table.lookup(np.arange(5))[0].any()


def full(*_: int) -> None:
    raise OSError(28, "No space left on device")


def test_no_room_for_rows_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as table:
        monkeypatch.setattr(os, "posix_fallocate", full)
        table.add(np.arange(5), rows_of(np.arange(5)))
        assert len(table) == 0


def test_no_room_for_the_table_is_told_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        opened(tmp_path)
    assert not tables(tmp_path)
    monkeypatch.undo()
    with opened(tmp_path) as table:
        assert len(table) == 0


def test_the_table_is_in_memory_that_was_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path):
        (file,) = tables(tmp_path)
        assert file.stat().st_blocks * 512 >= bytes_needed(NUMBERS, 0, WIDTH)


def test_a_limit_beyond_all_numbers_is_all_numbers(tmp_path: Path) -> None:
    with SharedMemoryTable("teacher", NUMBERS, WIDTH, 10**18, tmp_path) as table:
        assert table.capacity == NUMBERS


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
                dying.add(np.arange(10), rows_of(np.arange(10)))
        later = np.arange(100, 110)
        other.add(later, rows_of(later))
        assert not other.lookup(np.arange(10))[0].any()
        assert np.array_equal(other.lookup(later)[1], rows_of(later))


class _Dying:
    """Memory at which a process dies when it writes."""

    def __init__(self, real: object) -> None:
        self._real = real

    def __getitem__(self, numbers: Numbers) -> object:
        return self._real[numbers]  # type: ignore[index]

    def __setitem__(self, *_: object) -> None:
        raise KeyboardInterrupt


def test_memory_is_given_back(tmp_path: Path) -> None:
    table = opened(tmp_path)
    table.add(np.arange(5), rows_of(np.arange(5)))
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    table.close()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_the_last_to_close_deletes(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.add(np.arange(5), rows_of(np.arange(5)))
    first.close()
    assert second.lookup(np.arange(6))[0].sum() == 5
    second.close()
    assert not tables(tmp_path)
    with opened(tmp_path) as reopened:
        assert len(reopened) == 0


def _fill(folder: Path, start: int) -> None:
    with opened(folder) as table:
        for first in range(start, NUMBERS, 50):
            numbers = np.arange(first, min(first + 75, NUMBERS))
            table.add(numbers, rows_of(numbers))


def test_processes_add_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with opened(tmp_path) as table:
        processes = [context.Process(target=_fill, args=(tmp_path, start)) for start in (0, 10, 20)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        numbers, rows = table.items()
        assert len(numbers) == len(table) == NUMBERS
        assert np.array_equal(rows, rows_of(numbers))


def _killed(folder: Path, name: str) -> None:
    table = opened(folder, name=name)
    table.add(np.arange(5), rows_of(np.arange(5)))
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path, "other"))
    process.start()
    process.join()
    assert [file.name for file in tables(tmp_path)] == ["other.cache"]
    with opened(tmp_path):
        assert [file.name for file in tables(tmp_path)] == ["teacher.cache"]


def test_commands_that_size_a_table_import_no_torch() -> None:
    code = "import sys, ban_ray.search.search, ban_ray.population.commands.rm_gc; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
