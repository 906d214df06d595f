"""The few operations on bytes that everything else is built on."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """A name directly below a folder.

    Attributes:
        size: in bytes; 0 for a folder.
        modified: seconds since 1970 by the storage's clock; None for a folder of an object store, which has no time.
    """

    name: str
    is_folder: bool
    size: int
    modified: float | None


class TooLarge(OSError):
    """A file has more bytes than its reader asked for."""


class NotAFile(OSError):
    """A folder, a pipe or a device stands where a file is expected."""


class Storage(Protocol):
    """Paths are relative, with forward slashes, and cannot leave the storage.

    Every operation raises OSError where the storage cannot be reached, refuses, or is full.
    """

    @property
    def url(self) -> str: ...

    def read(self, path: str, *, at_most: int | None = None) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: nothing is there.
            TooLarge: it has more than `at_most` bytes; they are not read.
            NotAFile: it is no file.
        """
        ...

    def head(self, path: str, size: int) -> bytes:
        """The first bytes of a file, all of them where it has no more than `size`.

        Raises:
            FileNotFoundError: nothing is there.
            NotAFile: it is no file.
        """
        ...

    def write(self, path: str, data: bytes) -> None:
        """Whole or not at all, on disk when it returns; replaces what was there."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Like `write`, but False, and nothing changed, if the path exists already."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or a folder is there."""
        ...

    def list(self, path: str) -> list[str]:
        """Sorted names directly below a folder, without those that begin with a dot; none where it is missing."""
        ...

    def entries(self, path: str) -> tuple[Entry, ...]:
        """Like `list`, with sizes and times, and with the names that begin with a dot."""
        ...

    def versions(self, path: str, file: str) -> dict[str, str]:
        """The folders directly below `path` that hold `file`, each with a mark that changes when the file does."""
        ...

    def move(self, source: str, target: str) -> None:
        """Give a file, or a folder with all below it, another name; `target` must not exist.

        A file moves at once. A folder does so on a disk; in an object store its files move one by one.

        Raises:
            FileNotFoundError: there is no `source`.
        """
        ...

    def delete(self, path: str) -> None:
        """A file or a folder with all below it; nothing where it is missing."""
        ...

    def free_bytes(self) -> int | None:
        """Space that is left for this user; None where the storage does not tell."""
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
