"""Initial weights in a storage, as ``weights/<SHA-256>.safetensors``, where workers and repetitions find them."""

import hashlib

from ban_ray.errors import UserError
from ban_ray.population.layout import initial_weights_file
from ban_ray.storage.base import NotAFile, Storage


def save(storage: Storage, sha256: str, data: bytes) -> None:
    """Copy weights into a storage, unless they are there whole."""
    if find(storage, sha256) is None:
        storage.write(initial_weights_file(sha256), data)


def find(storage: Storage, sha256: str) -> bytes | None:
    """The bytes of this digest; None where there is no file, or one of other bytes."""
    try:
        data = storage.read(initial_weights_file(sha256))
    except (FileNotFoundError, NotAFile):
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def read(storage: Storage, sha256: str) -> bytes:
    """The bytes of this digest.

    Raises:
        UserError: they are not in the storage, or damaged.
    """
    data = find(storage, sha256)
    if data is None:
        path = initial_weights_file(sha256)
        state = "is damaged" if storage.exists(path) else "is missing"
        raise UserError(
            f"{path} in {storage.url} {state}, and training starts from it; the command that began the search puts it "
            "there again, if it has its --pretrained still"
        )
    return data
