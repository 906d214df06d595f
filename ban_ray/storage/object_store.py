"""A storage in a bucket: Amazon S3 and servers that speak its protocol, Google Cloud Storage, Azure."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from ban_ray.storage.base import Entry, TooLarge, parts_of

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_PAGE = 1000
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")


class BucketMissing(OSError):
    """The bucket or container does not exist."""


class ObjectStorage:
    """Objects below a prefix; folders are the parts of their names."""

    def __init__(self, store: "ObjectStore", url: str) -> None:
        self._store = store
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    def read(self, path: str, *, at_most: int | None = None) -> bytes:
        with _system_errors(path):
            result = obstore.get(self._store, _name(path))
            size = result.meta["size"]
            if at_most is not None and size > at_most:
                raise TooLarge(errno.EFBIG, f"has {size} bytes, more than {at_most}", path)
            return bytes(result.bytes())

    def head(self, path: str, size: int) -> bytes:
        with _system_errors(path):
            # Servers refuse a range of an empty object.
            end = min(size, obstore.head(self._store, _name(path))["size"])
            return bytes(obstore.get_range(self._store, _name(path), start=0, end=end)) if end else b""

    def write(self, path: str, data: bytes) -> None:
        with _system_errors(path):
            obstore.put(self._store, _name(path), data)

    def create(self, path: str, data: bytes) -> bool:
        with _system_errors(path):
            try:
                obstore.put(self._store, _name(path), data, mode="create")
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def exists(self, path: str) -> bool:
        with _system_errors(path):
            try:
                obstore.head(self._store, _name(path))
            except FileNotFoundError as error:
                if _no_bucket(error):
                    raise
                return any(True for _ in self._below(path))
        return True

    def list(self, path: str) -> list[str]:
        return [entry.name for entry in self.entries(path) if not entry.name.startswith(".")]

    def entries(self, path: str) -> tuple[Entry, ...]:
        with _system_errors(path):
            listed = obstore.list_with_delimiter(self._store, _name(path))
        folders = [Entry(_last(prefix), True, 0, None) for prefix in listed["common_prefixes"]]
        files = [
            Entry(_last(meta["path"]), False, meta["size"], meta["last_modified"].timestamp())
            for meta in listed["objects"]
        ]
        return tuple(sorted(folders + files, key=lambda entry: entry.name))

    def versions(self, path: str, file: str) -> dict[str, str]:
        depth, (name,) = len(parts_of(path)), parts_of(file)
        versions = {}
        with _system_errors(path):
            for meta in self._below(path):
                names = meta["path"].split("/")
                if len(names) == depth + 2 and names[-1] == name:
                    versions[names[-2]] = f"{meta['e_tag']}-{meta['last_modified'].timestamp()}-{meta['size']}"
        return versions

    def move(self, source: str, target: str) -> None:
        before, after = _name(source), _name(target)
        if self.exists(target):
            raise FileExistsError(errno.EEXIST, "exists already", target)
        with _system_errors(source):
            below = [meta["path"] for meta in self._below(source)]
            if below:
                for path in below:
                    obstore.rename(self._store, path, after + path.removeprefix(before))
            else:
                obstore.rename(self._store, before, after)

    def delete(self, path: str) -> None:
        with _system_errors(path):
            self._delete([_name(path)])
            self._delete([meta["path"] for meta in self._below(path)])

    def free_bytes(self) -> int | None:
        return None

    def _below(self, path: str) -> "Iterator[ObjectMeta]":
        for page in obstore.list(self._store, _name(path), chunk_size=_PAGE):
            yield from page

    def _delete(self, paths: Sequence[str]) -> None:
        for first in range(0, len(paths), _PAGE):
            page = paths[first : first + _PAGE]
            try:
                obstore.delete(self._store, page)
            except FileNotFoundError as error:
                if _no_bucket(error):
                    raise
                # Some stores stop at the first object that is missing.
                for name in page:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._store, name)


def _name(path: str) -> str:
    return "/".join(parts_of(path))


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _no_bucket(error: Exception) -> bool:
    return any(sign in str(error) for sign in _NO_BUCKET)


@contextmanager
def _system_errors(path: str) -> Iterator[None]:
    """Raise errors of the library as OSError, with their first line."""
    try:
        yield
    except (FileNotFoundError, BaseError) as error:
        reason = str(error).partition("\n")[0][:300]
        if _no_bucket(error):
            raise BucketMissing(errno.ENODEV, "the bucket does not exist") from error
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, "is not in the storage", path) from error
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            raise PermissionError(errno.EACCES, f"the server refuses: {reason}", path) from error
        raise OSError(errno.EIO, reason, path) from error
