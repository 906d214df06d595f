"""A table of half-precision rows in memory that the processes of a node share; imports no torch."""

import errno
import fcntl
import os
import platform
import tempfile
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

Rows = NDArray[np.float16]
Numbers = NDArray[np.int64]

_GROWTH_BYTES = 16 * 2**20
_RESERVE_BYTES = 256 * 2**20
"""Left free in the node's shared memory, which other programs use too."""
_STORES_IN_ORDER = platform.machine() in ("x86_64", "AMD64")
_SLOT_BYTES, _ROW_ITEM_BYTES, _HEADER_BYTES = 4, 2, 16
_POLL_S = 0.001


def shared_folder() -> Path:
    """The node's shared memory, or a folder for temporary files where it is small or missing; one for each user."""
    root = Path("/dev/shm")
    usable = root.is_dir() and os.access(root, os.W_OK)
    if usable:
        # Containers often have 64 MiB of it.
        size = os.statvfs(root)
        usable = size.f_blocks * size.f_frsize > 4 * _RESERVE_BYTES
    return (root if usable else Path(tempfile.gettempdir())) / f"ban_ray-{os.getuid()}"


def bytes_needed(numbers: int, rows: int, width: int) -> int:
    """Bytes of a table for `numbers` numbers that holds so many rows of `width` half-precision values."""
    return _SLOT_BYTES * numbers + _ROW_ITEM_BYTES * rows * width


class SharedMemoryTable(AbstractContextManager["SharedMemoryTable"]):
    """Half-precision rows (width,), each written once, by a number below `numbers`.

    A table is one file: the number of rows in use and the number that memory is reserved for, a slot for each number,
    which holds the position of its row plus 1 or 0, and the rows. Each process that uses it holds a shared lock on it;
    a file without one, of a process that was killed, is deleted when a table of the folder is opened or closed.

    Attributes:
        capacity: the number of rows that fit into the limit.
    """

    def __init__(self, name: str, numbers: int, width: int, limit_bytes: int, folder: Path | None = None) -> None:
        """Open the table of a name, whose arguments are the same in all processes, or make it.

        Args:
            limit_bytes: of slots and rows; rows beyond it, or for which the node has no memory, are not added.

        Raises:
            OSError: the file cannot be made, or there is no memory for the slots.
        """
        self._folder = folder or shared_folder()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "belongs to another user, who could change the rows", self._folder)
        self.numbers, self.width = numbers, width
        self._row_bytes, self._rows_start = _ROW_ITEM_BYTES * width, _HEADER_BYTES + _SLOT_BYTES * numbers
        self.capacity = max(0, min((limit_bytes - _SLOT_BYTES * numbers) // self._row_bytes, numbers, 2**31 - 2))
        self._lock = FileLock(self._folder / "lock")
        with self._locked():
            self._delete_unused()
            self._file = (self._folder / f"{name}.cache").open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_SH)
            try:
                # Reserved at once: a process that touches memory which the node cannot give is killed (SIGBUS).
                self._reserve(os.fstat(self._file.fileno()).st_size, self._rows_start)
                size = self._rows_start + self.capacity * self._row_bytes
                self._file.truncate(size)
                memory = np.memmap(self._file, np.uint8, "r+", shape=(size,))
            except OSError:
                self._file.close()
                self._delete_unused()
                raise
        self._counts = memory[:_HEADER_BYTES].view(np.int64)
        self._slots = memory[_HEADER_BYTES : self._rows_start].view(np.int32)
        self._rows = memory[self._rows_start :].view(np.float16).reshape(self.capacity, width)

    def __len__(self) -> int:
        """The number of rows in use."""
        return int(self._counts[0])

    @property
    def nbytes(self) -> int:
        """Bytes of the rows in use."""
        return self._row_bytes * len(self)

    def lookup(self, numbers: Numbers) -> tuple[NDArray[np.bool_], Rows]:
        """A mask of the numbers that have rows, and those rows in their order."""
        # Other processors may show another process's slot before its row.
        with nullcontext() if _STORES_IN_ORDER else self._locked():
            slots = self._slots[numbers]
        found = slots > 0
        return found, self._rows[slots[found] - 1]

    def add(self, numbers: Numbers, rows: Rows) -> None:
        """Add the rows of numbers that have none, as far as there is room."""
        with self._locked():
            new = np.flatnonzero(self._slots[numbers] == 0)
            new = new[: self._make_room(len(new))]
            first = len(self)
            end = first + len(new)
            # A process that is killed between these writes leaves rows unused. Slots come last, since others read them
            # without the lock.
            self._counts[0] = end
            self._rows[first:end] = rows[new]
            self._slots[numbers[new]] = np.arange(first + 1, end + 1)

    def items(self) -> tuple[Numbers, Rows]:
        """The numbers that have rows, increasing, and their rows."""
        with self._locked():
            numbers = np.flatnonzero(self._slots).astype(np.int64)
            return numbers, self.lookup(numbers)[1]

    def close(self) -> None:
        with self._locked():
            # A mapping keeps its memory, and a file open.
            del self._counts, self._slots, self._rows
            self._file.close()
            self._delete_unused()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _locked(self) -> AbstractContextManager[object]:
        """The lock of all tables of the folder."""
        return self._lock.acquire(poll_interval=_POLL_S)

    def _make_room(self, count: int) -> int:
        """Reserve memory for more rows; returns for how many of `count` there is room."""
        used, reserved = (int(number) for number in self._counts)
        while reserved < min(used + count, self.capacity):
            grown = min(self.capacity, reserved + max(1, _GROWTH_BYTES // self._row_bytes))
            try:
                self._reserve(*(self._rows_start + rows * self._row_bytes for rows in (reserved, grown)))
            except OSError:
                break
            self._counts[1] = reserved = grown
        return min(count, reserved - used)

    def _reserve(self, start: int, end: int) -> None:
        """Raises OSError: there is no memory for these bytes of the file, or little would be left."""
        if start >= end:
            return
        free = os.fstatvfs(self._file.fileno())
        if free.f_bavail * free.f_frsize < end - start + _RESERVE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        os.posix_fallocate(self._file.fileno(), start, end - start)

    def _delete_unused(self) -> None:
        """Delete the tables that no process has open."""
        for path in self._folder.glob("*.cache"):
            with path.open("rb") as file, suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
