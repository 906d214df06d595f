"""Where bytes are kept: the few operations that everything else is built on."""

import errno
import os
import secrets
import shutil
from pathlib import Path, PurePosixPath
from typing import Protocol

from ban_ray.errors import UserError


class Storage(Protocol):
    """Paths are relative, with forward slashes, and cannot leave the storage."""

    @property
    def url(self) -> str: ...

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError where nothing is there."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Whole or not at all, on disk when it returns; replaces what was there."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Like `write`, but False, and nothing changed, if the path exists already."""
        ...

    def exists(self, path: str) -> bool: ...

    def list(self, path: str) -> list[str]:
        """Sorted names directly below a folder; none where it is missing."""
        ...

    def delete(self, path: str) -> None:
        """A file or a folder with all below it; nothing where it is missing."""
        ...


class LocalStorage:
    """A folder on a local disk or a network file system that can make hard links."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        return str(self._root)

    def read(self, path: str) -> bytes:
        return self._at(path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        target = self._at(path)
        scratch = self._scratch(target, data)
        try:
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def create(self, path: str, data: bytes) -> bool:
        target = self._at(path)
        scratch = self._scratch(target, data)
        try:
            os.link(scratch, target)
        except FileExistsError:
            return False
        finally:
            scratch.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return True

    def exists(self, path: str) -> bool:
        return self._at(path).exists()

    def list(self, path: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._at(path)) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def delete(self, path: str) -> None:
        target = self._at(path)
        if target.is_dir():
            # Another process may be deleting the same folder.
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)

    def _at(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(f"path {path!r} leaves the storage")
        return self._root.joinpath(*parts)

    def _scratch(self, target: Path, data: bytes) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.parent / f".{target.name}.{secrets.token_hex(6)}"
        try:
            with scratch.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        return scratch


def _sync_folder(folder: Path) -> None:
    """Make a new name last through a power cut, where the file system knows how."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def open_storage(url: str) -> Storage:
    """The storage at an absolute path.

    Raises:
        UserError: it cannot be made or written, or its file system has no hard links.
    """
    root = Path(url).expanduser().absolute()
    storage = LocalStorage(root)
    probe = f".probe-{secrets.token_hex(6)}"
    try:
        storage.create(probe, b"")
        storage.delete(probe)
    except OSError as error:
        raise UserError(f"--storage {url!r} cannot be written: {error.strerror or error}") from error
    return storage
