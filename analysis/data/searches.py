"""The record of a search: its identity, the papers' figures, and the keys of its chains."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ban_ray.errors import UserError
from ban_ray.population import Storage
from ban_ray.specs import PaperRow, canonical_json
from ban_ray.storage.base import NotAFile, TooLarge

FOLDER = "searches"
MAX_BYTES = 1 << 24
"""Of a record that is read; anyone may have written it."""
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Identity(BaseModel):
    """``search.json``; unknown fields are passed over."""

    model_config = ConfigDict(frozen=True)

    format_version: Literal[1]
    space: str
    scale: str = ""
    title: str = ""
    source: str = ""
    identity: dict[str, JsonValue] = Field(default_factory=dict)
    paper: tuple[PaperRow, ...] = ()


class ChainRecord(BaseModel):
    """``chains/<digest>.json``: the keys of a chain's generations, those not trained yet included.

    Attributes:
        label: the objective of its last generation, or another role.
        row, columns: the position of its generations in the search's table; empty where that was not recorded.
    """

    model_config = ConfigDict(frozen=True)

    configuration: dict[str, JsonValue] = Field(default_factory=dict)
    seed: int
    keys: Annotated[tuple[Key, ...], Field(min_length=1)]
    network: str = ""
    label: str = ""
    row: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """A search as a storage has it.

    Attributes:
        chains: one for each configuration, label and seed: the longest that was written; in the order of the
            search's configurations, where it recorded them, and of seeds.
        unreadable: names of chain files that are not chain records.
    """

    name: str
    about: Identity
    chains: tuple[ChainRecord, ...]
    unreadable: tuple[str, ...]


def names(storage: Storage) -> list[str]:
    """Sorted names of the searches of a storage."""
    return [name for name in storage.list(FOLDER) if storage.exists(f"{FOLDER}/{name}/search.json")]


def read(storage: Storage, name: str) -> Search:
    """A search by its name.

    Raises:
        UserError: there is none of this name, or its ``search.json`` cannot be read.
    """
    known = names(storage)
    if name not in known:
        raise UserError(f"no search {name!r} in {storage.url}; it has {', '.join(known) or 'none'}")
    folder = f"{FOLDER}/{name}"
    try:
        about = Identity.model_validate(_json(storage, f"{folder}/search.json"))
    except ValueError as error:
        raise UserError(f"search {name!r}: search.json cannot be read: {_first(error)}") from error
    chains: dict[bytes, ChainRecord] = {}
    unreadable = []
    for file in storage.list(f"{folder}/chains"):
        try:
            chain = ChainRecord.model_validate(_json(storage, f"{folder}/chains/{file}"))
            which = canonical_json([chain.configuration, chain.label, chain.seed])
        except ValueError:
            unreadable.append(file)
            continue
        if which not in chains or len(chain.keys) > len(chains[which].keys):
            chains[which] = chain
    return Search(name, about, tuple(sorted(chains.values(), key=_Order(about))), tuple(unreadable))


class _Order:
    """Sorts chains by configuration and seed."""

    def __init__(self, about: Identity) -> None:
        listed = about.identity.get("configurations")
        texts = [canonical_json(configuration) for configuration in listed] if isinstance(listed, list) else []
        self._places = {text: position for position, text in enumerate(texts)}

    def __call__(self, chain: ChainRecord) -> tuple[int, bytes, int]:
        text = canonical_json(chain.configuration)
        return self._places.get(text, len(self._places)), text, chain.seed


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
