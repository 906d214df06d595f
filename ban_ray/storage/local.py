"""A storage in a folder of a local disk or a network file system."""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ban_ray.storage.atomic_files import delete_folder, link, sync, write_temporary
from ban_ray.storage.base import Entry, NotAFile, TooLarge, parts_of

_ATTEMPTS = 5
"""How often a file is written whose folder another process deletes at the same moment."""


class StorageGone(OSError):
    """The storage's own folder has disappeared, as while a network file system is not mounted."""


class LocalStorage:
    """A folder on a file system that can make hard links."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._used = self._has_names()

    @property
    def url(self) -> str:
        return str(self._root)

    def read(self, path: str, *, at_most: int | None = None) -> bytes:
        return self._read(path, at_most)

    def head(self, path: str, size: int) -> bytes:
        return self._read(path, None, size)

    def _read(self, path: str, at_most: int | None, size: int = -1) -> bytes:
        target = self._at(path)
        try:
            # Opening a pipe would wait for its other end.
            handle = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            self._check()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target)) from error
        self._used = True
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise NotAFile(errno.EISDIR, "is no file", str(target))
            if at_most is not None and status.st_size > at_most:
                raise TooLarge(errno.EFBIG, f"has {status.st_size} bytes, more than {at_most}", str(target))
            with os.fdopen(handle, "rb", closefd=False) as file:
                return file.read(size)
        finally:
            os.close(handle)

    def write(self, path: str, data: bytes) -> None:
        self._write(path, data, os.replace)

    def create(self, path: str, data: bytes) -> bool:
        try:
            self._write(path, data, link)
        except FileExistsError:
            return False
        return True

    def exists(self, path: str) -> bool:
        try:
            self._at(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            self._check()
            return False
        self._used = True
        return True

    def list(self, path: str) -> list[str]:
        return sorted(name for name in self._names(path) if not name.startswith("."))

    def entries(self, path: str) -> tuple[Entry, ...]:
        entries = []
        for name in sorted(self._names(path)):
            with suppress(FileNotFoundError):
                status = (self._at(path) / name).lstat()
                folder, link = stat.S_ISDIR(status.st_mode), stat.S_ISLNK(status.st_mode)
                entries.append(Entry(name, folder, 0 if folder else status.st_size, status.st_mtime, link))
        return tuple(entries)

    def versions(self, path: str, file: str) -> dict[str, str]:
        folder, (name,) = self._at(path), parts_of(file)
        versions = {}
        for below in self._names(path):
            with suppress(FileNotFoundError, NotADirectoryError):
                status = (folder / below / name).stat()
                versions[below] = f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"
        return versions

    def move(self, source: str, target: str) -> None:
        before, after = self._at(source), self._at(target)
        if os.path.lexists(after):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(after))
        new = self._make(after.parent)
        before.rename(after)
        for folder in (before.parent, after.parent, *new):
            sync(folder)

    def delete(self, path: str) -> None:
        target = self._at(path)
        try:
            target.unlink()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (IsADirectoryError, PermissionError):
            # Systems differ in what they say of a folder, which another process may have deleted since.
            if target.is_dir():
                delete_folder(target)
            elif os.path.lexists(target):
                raise
        if len(parts_of(path)) == 1:
            self._used = self._has_names()

    def free_bytes(self) -> int | None:
        existing = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        return shutil.disk_usage(existing).free

    def _at(self, path: str) -> Path:
        return self._root.joinpath(*parts_of(path))

    def _names(self, path: str) -> tuple[str, ...]:
        try:
            names = tuple(os.listdir(self._at(path)))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            self._check()
            return ()
        self._used = True
        return names

    def _has_names(self) -> bool:
        try:
            with os.scandir(self._root) as names:
                return next(names, None) is not None
        except (FileNotFoundError, NotADirectoryError):
            return False

    def require(self) -> None:
        """Raise `StorageGone` if the folder does not exist."""
        if not self._root.is_dir():
            raise StorageGone(errno.ESTALE, "there is no such folder", str(self._root))

    def _check(self) -> None:
        """Raise `StorageGone` if the storage had files and now has none, as a folder that is not mounted."""
        if self._used and not self._has_names():
            raise StorageGone(errno.ESTALE, "the storage's folder is missing or empty", str(self._root))

    def _write(self, path: str, data: bytes, rename: Callable[[Path, Path], None]) -> None:
        target = self._at(path)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                new = self._make(target.parent)
                scratch = write_temporary(target, data)
                try:
                    rename(scratch, target)
                finally:
                    scratch.unlink(missing_ok=True)
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS:
                    raise
        self._used = True
        for folder in (target.parent, *new):
            sync(folder)

    def _make(self, folder: Path) -> tuple[Path, ...]:
        """Make a folder, and return the folders that got a new name in them, the lowest first."""
        if folder.is_dir():
            return ()
        # The storage's own folder is never made again: that would hide what is mounted later.
        self._check()
        below_root = (folder, *folder.parents)[: len(folder.relative_to(self._root).parts)]
        changed = tuple(path.parent for path in below_root if not path.is_dir())
        folder.mkdir(parents=True, exist_ok=True)
        return changed
