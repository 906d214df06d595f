"""Rows of numbers in memory that the processes of a node share, each written once, up to a limit."""

import errno
import fcntl
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float16]
Numbers = NDArray[np.int64]

_GROWTH_BYTES = 16 * 2**20
_RESERVE_BYTES = 256 * 2**20
"""Left free in the node's shared memory, which other programs use too."""
_STORES_IN_ORDER = platform.machine() in ("x86_64", "AMD64")
_SLOT_BYTES, _ROW_ITEM_BYTES, _HEADER_BYTES = 4, 2, 16


def shared_folder() -> Path:
    """The node's shared memory, else a folder for temporary files; one for each user."""
    root = Path("/dev/shm")
    usable = root.is_dir() and os.access(root, os.W_OK)
    if usable:
        # Containers often have 64 MiB of it.
        size = os.statvfs(root)
        usable = size.f_blocks * size.f_frsize > 4 * _RESERVE_BYTES
    return (root if usable else Path(tempfile.gettempdir())) / f"ban_ray-{os.getuid()}"


def bytes_needed(numbers: int, rows: int, width: int) -> int:
    """Bytes of so many rows of half-precision numbers, and of the table that finds them among all `numbers`."""
    return _SLOT_BYTES * numbers + _ROW_ITEM_BYTES * rows * width


class SharedMemoryTable:
    """Half-precision rows (width,) by a number below `numbers`.

    The files are made by the first process that opens a name and deleted by the last one that closes it; what a killed
    process left is deleted by the next one that opens any name in the folder.
    """

    def __init__(self, name: str, numbers: int, width: int, limit_bytes: int, folder: Path | None = None) -> None:
        """Args:
        limit_bytes: of table and rows; rows that do not fit, or for which the memory has no room, are not kept.

        Raises:
            OSError: the files cannot be made, or there is no memory for the table.
        """
        self._folder = folder or shared_folder()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "belongs to another user, who could change what is kept", self._folder)
        self._name, self._width = name, width
        fitting = (limit_bytes - bytes_needed(numbers, 0, width)) // (_ROW_ITEM_BYTES * width)
        self.capacity = max(0, min(fitting, numbers, np.iinfo(np.int32).max - 1))
        self._sweep()
        self._lock = self._open("lock")
        try:
            with self._locked():
                self._join(numbers)
        except OSError:
            os.close(self._lock)
            raise

    def _join(self, numbers: int) -> None:
        self._users = self._open("users")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self._data = self._open("rows")
        try:
            self._map(numbers)
        except OSError:
            self._leave()
            raise

    def _map(self, numbers: int) -> None:
        size = _HEADER_BYTES + _SLOT_BYTES * numbers
        with os.fdopen(self._open("table"), "r+b") as table, os.fdopen(os.dup(self._data), "r+b") as rows:
            # Asked for at once: where memory is not there, even to read a mapping of it ends the process. New files
            # are zeros, and 0 stands for a row that is missing.
            self._reserve(table.fileno(), os.fstat(table.fileno()).st_size, size)
            rows.truncate(max(1, _ROW_ITEM_BYTES * self.capacity * self._width))
            self._counts: NDArray[np.int64] = np.memmap(table, np.int64, "r+", 0, (2,))
            self._slots: NDArray[np.int32] = np.memmap(table, np.int32, "r+", _HEADER_BYTES, (numbers,))
            if self.capacity:
                self._rows: Rows = np.memmap(rows, np.float16, "r+", 0, (self.capacity, self._width))

    def _reserve(self, handle: int, there: int, needed: int) -> None:
        """Raises OSError: there is no memory for a file to grow, or little would be left."""
        if needed <= there:
            return
        free = os.fstatvfs(handle)
        if free.f_bavail * free.f_frsize < needed - there + _RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        os.posix_fallocate(handle, there, needed - there)

    def __len__(self) -> int:
        """Rows that have been given room."""
        return int(self._counts[0])

    @property
    def nbytes(self) -> int:
        """Of the rows that have been given room."""
        return _ROW_ITEM_BYTES * self._width * len(self)

    def lookup(self, numbers: Numbers) -> tuple[NDArray[np.bool_], Rows]:
        """Which of the numbers have rows, and those rows in their order."""
        # Elsewhere a processor may show another's place before its row.
        with nullcontext() if _STORES_IN_ORDER else self._locked():
            places = self._slots[numbers]
        there = places > 0
        if not there.any():
            return there, np.empty((0, self._width), np.float16)
        return there, self._rows[places[there] - 1]

    def add(self, numbers: Numbers, rows: Rows) -> None:
        """Keep rows, as far as there is room; what is there already stays."""
        with self._locked():
            new = self._slots[numbers] == 0
            room = self._reserve_rows(int(new.sum()))
            chosen = np.flatnonzero(new)[:room]
            first = int(self._counts[0])
            if len(chosen):
                # A process that is killed in between has taken room for nothing. The rows come before their places,
                # since others read without a lock.
                self._counts[0] = first + len(chosen)
                self._rows[first : first + len(chosen)] = rows[chosen]
                self._slots[numbers[chosen]] = np.arange(first + 1, first + 1 + len(chosen), dtype=np.int32)

    def all(self) -> tuple[Numbers, Rows]:
        """Every number that has a row, increasing, and its row."""
        with self._locked():
            numbers = np.flatnonzero(self._slots).astype(np.int64)
            return numbers, self.lookup(numbers)[1]

    def close(self) -> None:
        with self._locked():
            self._leave()
        os.close(self._lock)

    def _leave(self) -> None:
        # Memory that is still mapped stays taken.
        for mapped in ("_counts", "_slots", "_rows"):
            self.__dict__.pop(mapped, None)
        os.close(self._users)
        os.close(self._data)
        self._delete_unused(self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reserve_rows(self, wanted: int) -> int:
        """For how many of the wanted rows there is memory; more is asked of the system where that is not enough."""
        used, reserved = int(self._counts[0]), int(self._counts[1])
        row = _ROW_ITEM_BYTES * self._width
        while used + wanted > reserved // row and reserved < self.capacity * row:
            step = min(_GROWTH_BYTES, self.capacity * row - reserved)
            try:
                self._reserve(self._data, reserved, reserved + step)
            except OSError:
                break
            reserved += step
            self._counts[1] = reserved
        return max(0, min(wanted, reserved // row - used))

    def _open(self, kind: str) -> int:
        return os.open(self._path(self._name, kind), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}.{kind}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _sweep(self) -> None:
        """Delete what nobody uses, of names that nobody is opening or closing."""
        for lock in self._folder.glob("*.lock"):
            handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._delete_unused(lock.stem)
            except BlockingIOError:
                pass
            finally:
                os.close(handle)

    def _delete_unused(self, name: str) -> None:
        """The lock itself stays, since another process may be waiting for it."""
        users = self._path(name, "users")
        if not users.exists():
            return
        handle = os.open(users, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            os.close(handle)
        for kind in ("table", "rows", "users"):
            self._path(name, kind).unlink(missing_ok=True)
