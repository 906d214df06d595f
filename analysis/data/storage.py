"""Opens a storage that exists, for reading."""

from os import PathLike, fspath

from ban_ray.errors import UserError
from ban_ray.population import Storage
from ban_ray.population.layout import MEMBERS, SEARCHES
from ban_ray.storage.opening import find_storage


def open_existing(storage: str | PathLike[str] | Storage) -> Storage:
    """The storage at a folder or URL that exists; it need not be writable.

    Raises:
        UserError: it is not there, or holds neither a population nor a search.
    """
    if not isinstance(storage, str | PathLike):
        return storage
    opened = find_storage(fspath(storage))
    if not opened.exists(MEMBERS) and not opened.exists(SEARCHES):
        raise UserError(f"{opened.url!r} holds neither a population nor a search; give what --storage named")
    return opened
