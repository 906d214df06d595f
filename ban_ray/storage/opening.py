"""Opening the storage that a path or a URL names."""

import os
import re
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.errors import UserError
from ban_ray.storage.base import Storage
from ban_ray.storage.local import LocalStorage
from ban_ray.storage.object_store import BucketMissing, ObjectStorage
from ban_ray.storage.retrying import PATIENCE_S, RetryingStorage

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKETS = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
_FORMS = "a folder, s3://bucket/folder, gs://bucket/folder and az://container/folder are allowed"
_CLIENT: "ClientConfig" = {"connect_timeout": "5s", "timeout": "300s"}
_RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


def is_url(storage: str) -> bool:
    """Whether the name of a storage is a URL."""
    return _URL.fullmatch(storage) is not None


def absolute(storage: str) -> str:
    """The storage's absolute path, or its URL.

    Raises:
        UserError: it begins with the home folder of an unknown user.
    """
    if is_url(storage):
        return storage
    try:
        return str(Path(storage).expanduser().absolute())
    except RuntimeError as error:
        raise UserError(f"--storage {storage!r}: there is no such user on this machine") from error


def open_storage(url: str, *, patience_s: float = PATIENCE_S) -> Storage:
    """The storage at a path or a URL for writing; a missing folder is made.

    A bucket's credentials and server come from the variables of its vendor's own tools, such as
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL.

    Args:
        patience_s: seconds for which each later operation is retried while the storage cannot be reached.

    Raises:
        UserError: it cannot be made, reached or written, or cannot create a file exclusively.
    """
    storage = _at(url)
    probe = f".probe-{secrets.token_hex(6)}"
    try:
        first, second = storage.create(probe, b""), storage.create(probe, b"")
        storage.delete(probe)
    except OSError as error:
        raise UserError(f"--storage {url!r} cannot be written: {_reason(error, url)}") from error
    if not first or second:
        raise UserError(
            f"--storage {url!r} cannot be used: its server creates an object that exists already, where "
            "conditional writes (If-None-Match) are needed"
        )
    return RetryingStorage(storage, patience_s=patience_s)


def find_storage(url: str, *, patience_s: float = 0.0) -> Storage:
    """The storage at a path or a URL that exists; nothing is made or written.

    Args:
        patience_s: seconds for which this and each later operation is retried while the storage cannot be reached.

    Raises:
        UserError: it does not exist or cannot be reached.
    """
    inner = _at(url)
    storage = RetryingStorage(inner, patience_s=patience_s)
    try:
        if isinstance(inner, LocalStorage):
            storage.retry(lambda _: inner.require())
        else:
            storage.exists("population")
    except OSError as error:
        raise UserError(f"--storage {url!r} cannot be read: {_reason(error, url)}") from error
    return storage


def _at(url: str) -> Storage:
    match = _URL.fullmatch(url)
    if match is None or match[1] == "file":
        path = url if match is None else match[2]
        if not path:
            raise UserError(f"--storage {url!r} is empty; {_FORMS}")
        root = Path(absolute(path))
        if os.path.lexists(root) and not os.path.isdir(root):  # noqa: PTH112
            raise UserError(f"--storage {url!r} is a file; a folder is needed")
        return LocalStorage(root)
    if match[1] not in _BUCKETS:
        raise UserError(f"--storage {url!r}: {match[1]}:// is unknown; {_FORMS}")
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    client: ClientConfig = {**_CLIENT, "allow_http": endpoint.startswith("http://")}
    try:
        return ObjectStorage(from_url(url, client_options=client, retry_config=_RETRY), url)
    except (BaseError, ValueError) as error:
        raise UserError(f"--storage {url!r} cannot be used: {_first_line(error)}") from error


def _reason(error: OSError, url: str) -> str:
    """The reason of an error, and a remedy where one is known."""
    reason = _first_line(error.strerror or error)
    if isinstance(error, BucketMissing):
        return f"{reason}; make it first"
    if url.startswith("s3") and not os.environ.get("AWS_ACCESS_KEY_ID"):
        return (
            f"{reason}; AWS_ACCESS_KEY_ID is not set, and profiles in ~/.aws are not read "
            '(eval "$(aws configure export-credentials --format env)" sets what a profile holds)'
        )
    return reason


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]
