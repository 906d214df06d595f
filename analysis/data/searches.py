"""The record of a search: its identity, the papers' figures, and the keys of its chains."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ban_ray.errors import UserError
from ban_ray.population import Storage
from ban_ray.population.layout import SEARCHES, chain_folder, search_file
from ban_ray.population.search_records import ChainRecord, SearchRecord
from ban_ray.specs import canonical_json
from ban_ray.storage.base import NotAFile, TooLarge

MAX_BYTES = 1 << 24
"""Of a record that is read; anyone may have written it."""


@dataclass(frozen=True)
class Search:
    """A search as a storage has it.

    Attributes:
        chains: one for each configuration, label and seed: the longest that was written; in the order of the
            search's configurations, where it recorded them, and of seeds.
        unreadable: names of chain files that are not chain records.
    """

    name: str
    about: SearchRecord
    chains: tuple[ChainRecord, ...]
    unreadable: tuple[str, ...]


def names(storage: Storage) -> list[str]:
    """Sorted names of the searches of a storage."""
    return [name for name in storage.list(SEARCHES) if storage.exists(search_file(name))]


def read(storage: Storage, name: str) -> Search:
    """A search by its name.

    Raises:
        UserError: there is none of this name, or its ``search.json`` cannot be read.
    """
    known = names(storage)
    if name not in known:
        raise UserError(f"no search {name!r} in {storage.url}; it has {', '.join(known) or 'none'}")
    try:
        about = SearchRecord.model_validate(_json(storage, search_file(name)))
    except ValueError as error:
        raise UserError(f"search {name!r}: search.json cannot be read: {_first(error)}") from error
    chains: dict[bytes, ChainRecord] = {}
    unreadable = []
    for file in storage.list(chain_folder(name)):
        try:
            chain = ChainRecord.model_validate(_json(storage, f"{chain_folder(name)}/{file}"))
            which = canonical_json([chain.configuration, chain.label, chain.seed])
        except ValueError:
            unreadable.append(file)
            continue
        if which not in chains or len(chain.keys) > len(chains[which].keys):
            chains[which] = chain
    listed = about.identity.get("configurations")
    places = {canonical_json(each): place for place, each in enumerate(listed)} if isinstance(listed, list) else {}

    def place_of(chain: ChainRecord) -> tuple[int, bytes, int]:
        text = canonical_json(chain.configuration)
        return places.get(text, len(places)), text, chain.seed

    return Search(name, about, tuple(sorted(chains.values(), key=place_of)), tuple(unreadable))


def _json(storage: Storage, path: str) -> Any:
    try:
        return json.loads(storage.read(path, at_most=MAX_BYTES))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (NotAFile, TooLarge) as error:
        raise ValueError(error.strerror) from error


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        worst = error.errors()[0]
        return f"{'.'.join(map(str, worst['loc']))}: {worst['msg']}"
    return str(error)
