"""Images in a ``.npy`` file, read and written at positions."""

import errno
import io
import math
import os
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Indices = NDArray[np.int64]
Shape = tuple[int, ...]


class ImageRows(Protocol):
    """Images (n, height, width, channels) of bytes; several threads may read."""

    shape: Shape

    def read(self, rows: Indices, out: Pixels) -> None:
        """Copy rows, in their order, into an array of their number; raises OSError."""


class ArrayRows:
    """Images in memory."""

    def __init__(self, images: Pixels) -> None:
        self._images = images
        self.shape: Shape = images.shape

    def read(self, rows: Indices, out: Pixels) -> None:
        # By default `take` fills a buffer of its own first.
        np.take(self._images, rows, axis=0, out=out, mode="clip")


class ImageFile:
    """Images in a file that stays open, and so readable when its folder is removed.

    System calls at positions, not a memory map: mapped pages that were touched count as the process's own memory, and
    a full disk, a damaged one or a truncated file would end the process without a word.
    """

    def __init__(self, path: Path, file: IO[bytes], shape: Shape, offset: int) -> None:
        self.path, self.shape = path, shape
        self._file, self._offset = file, offset
        self._row_bytes = math.prod(shape[1:])

    @classmethod
    def open(cls, path: Path) -> "ImageFile":
        """Open a file for reading.

        Raises:
            OSError: it cannot be read, is no ``.npy`` file of bytes, or is shorter than its header says.
        """
        file = path.open("rb", buffering=0)
        try:
            np.lib.format.read_magic(file)
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
            if fortran_order or dtype != np.uint8 or len(shape) != 4:
                raise ValueError(f"it holds {dtype} in {len(shape)} dimensions")
            if os.fstat(file.fileno()).st_size < file.tell() + math.prod(shape):
                raise ValueError("it is truncated")
        except (OSError, ValueError) as error:
            file.close()
            raise OSError(errno.EIO, f"no whole file of decoded images ({error})", str(path)) from error
        return cls(path, file, shape, file.tell())

    @classmethod
    def create(cls, path: Path, shape: Shape) -> "ImageFile":
        """Make a file of images that are to be written."""
        header = _header(shape)
        file = path.open("x+b", buffering=0)
        created = cls(path, file, shape, len(header))
        created._write_at(header, 0)
        return created

    def close(self) -> None:
        self._file.close()

    def read(self, rows: Indices, out: Pixels) -> None:
        view = out.data.cast("B") if out.size else memoryview(b"")
        # Rows that follow one another are one call.
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for first, end in pairwise([0, *breaks.tolist(), len(rows)]):
            if first < end:
                self._read_at(view[first * self._row_bytes : end * self._row_bytes], self._position(int(rows[first])))

    def write(self, row: int, image: Pixels) -> None:
        """Write one image; several threads may write different rows.

        Raises:
            OSError: among others, the disk is full.
        """
        self._write_at(np.ascontiguousarray(image).data.cast("B"), self._position(row))

    def reorder(self, order: Indices) -> None:
        """Give the rows another order, in place: row ``i`` becomes what row ``order[i]`` was.

        Args:
            order: a permutation of all rows.
        """
        sources = order.tolist()
        first, other = bytearray(self._row_bytes), bytearray(self._row_bytes)
        for start in range(len(sources)):
            if sources[start] == start:
                continue
            # Once round a cycle of the permutation; rows that have got theirs are marked as their own sources.
            self._read_at(memoryview(first), self._position(start))
            row = start
            while (source := sources[row]) != start:
                self._read_at(memoryview(other), self._position(source))
                self._write_at(other, self._position(row))
                sources[row], row = row, source
            self._write_at(first, self._position(row))
            sources[row] = row

    def finish(self, count: int) -> None:
        """Drop the rows from `count` on, and wait until the rest is on the disk."""
        self.shape = (count, *self.shape[1:])
        header = _header(self.shape)
        assert len(header) == self._offset
        self._write_at(header, 0)
        self._file.truncate(self._position(count))
        os.fsync(self._file.fileno())

    def _position(self, row: int) -> int:
        return self._offset + row * self._row_bytes

    def _read_at(self, view: "memoryview[Any]", position: int) -> None:
        while view:
            count = os.preadv(self._file.fileno(), [view], position)
            if not count:
                raise OSError(errno.EIO, "the file of decoded images has been truncated", str(self.path))
            view, position = view[count:], position + count

    def _write_at(self, data: "bytes | bytearray | memoryview[Any]", position: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._file.fileno(), view, position)
            view, position = view[count:], position + count


def _header(shape: Shape) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()
