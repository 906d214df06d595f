"""The interface of a storage: a few operations on bytes."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """A name directly below a folder.

    Attributes:
        size: in bytes; 0 for a folder.
        modified: seconds since 1970 by the storage's clock; None for a folder of an object store, which has no time.
        is_link: whether it is a symbolic link, whose size and time are its own.
    """

    name: str
    is_folder: bool
    size: int
    modified: float | None
    is_link: bool = False


class TooLarge(OSError):
    """A file has more bytes than its reader asked for."""


class NotAFile(OSError):
    """A path is a folder's, a pipe's or a device's where a file is expected."""


class Storage(Protocol):
    """Paths are relative, with forward slashes, and cannot leave the storage.

    Every operation raises OSError where the storage cannot be reached, refuses, or is full.
    """

    @property
    def url(self) -> str: ...

    def read(self, path: str, *, at_most: int | None = None) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: the path does not exist.
            TooLarge: it has more than `at_most` bytes; they are not read.
            NotAFile: the path is not a file's.
        """
        ...

    def head(self, path: str, size: int) -> bytes:
        """The first `size` bytes of a file, or all of them if it has fewer.

        Raises:
            FileNotFoundError: the path does not exist.
            NotAFile: the path is not a file's.
        """
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write or replace a file, wholly or not at all; it is on disk when this returns."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Like `write`, but return False and change nothing if the path exists."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a path is a file's or a folder's."""
        ...

    def list(self, path: str) -> list[str]:
        """Sorted names directly below a folder, without those that begin with a dot; none if it does not exist."""
        ...

    def entries(self, path: str) -> tuple[Entry, ...]:
        """Like `list`, with sizes and times, and with the names that begin with a dot."""
        ...

    def versions(self, path: str, file: str) -> dict[str, str]:
        """The folders directly below `path` that hold `file`, each with a version that changes when the file does."""
        ...

    def move(self, source: str, target: str) -> None:
        """Rename a file, or a folder with everything below it, to a `target` that does not exist.

        This is atomic for files, and on a disk for folders; in an object store files move one by one.

        Raises:
            FileNotFoundError: `source` does not exist.
            FileExistsError: `target` exists.
        """
        ...

    def delete(self, path: str) -> None:
        """Delete a file, or a folder with everything below it, if it exists."""
        ...

    def free_bytes(self) -> int | None:
        """Free space for this user; None if the storage does not report it."""
        ...


def parts_of(path: str) -> tuple[str, ...]:
    """The names of a relative path.

    Raises:
        ValueError: the path is empty, absolute, or goes upwards.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0].startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"path {path!r} leaves the storage")
    return parts
