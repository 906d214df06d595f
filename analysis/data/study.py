"""A storage as one object: records, frames, searches, groups."""

from collections.abc import Callable, Iterable
from functools import cached_property
from math import isnan
from typing import TypeVar

import pandas as pd

from analysis.data import chains, frames
from analysis.data.chain_groups import ChainGroup, from_links, from_search
from analysis.data.searches import Search, names, read
from analysis.data.spec_text import spec_of
from ban_ray.errors import DamagedMember, UserError
from ban_ray.population import Member, Population, Predictions, Storage
from ban_ray.population.imported import ImportedGeneration
from ban_ray.population.index import catalogue

T = TypeVar("T")


class Study:
    """The population and the searches of a storage, as they were when first looked at.

    Attributes:
        population: the read side of the storage's members.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.population = Population(storage)
        self.damaged: dict[str, str] = {}
        """Why a member could not be read, by its key; grows as files are read."""

    @cached_property
    def records(self) -> dict[str, Member]:
        """Every member whose record can be read, by key; no weights, predictions or histories."""
        read = catalogue(self.population)
        for key in read.damaged:
            self.damaged[key] = f"member {key}: its record is not what was published"
        return {member.key: member for member in read.members}

    @cached_property
    def members(self) -> pd.DataFrame:
        """One row a member; see `analysis.data.frames.members`."""
        return frames.members(self.records)

    @cached_property
    def chains(self) -> pd.DataFrame:
        """One row a generation of a chain, over all chains found by their links; see `analysis.data.frames.chains`."""
        return frames.chains(self.groups())

    def histories(self, keys: Iterable[str] | None = None) -> pd.DataFrame:
        """One row an epoch of a member, by default of all members; see `analysis.data.frames.histories`.

        Members whose history cannot be read are left out, with an entry in `damaged`.
        """
        read = ((key, self._read(self.population.history, key)) for key in (self.records if keys is None else keys))
        return frames.histories((key, history) for key, history in read if history is not None)

    def predictions(self, keys: Iterable[str], part: str = "test") -> pd.DataFrame:
        """One row an image of a member; see `analysis.data.frames.predictions`.

        Raises:
            UserError: a part other than ``test`` and ``held_out``, or a key without a member.
        """
        keys = list(keys)
        if unknown := [key for key in keys if key not in self.records]:
            raise UserError(f"no member {unknown[0]} in {self.storage.url}")
        read = ((key, self.read_predictions(key)) for key in keys)
        return frames.predictions(((key, stored) for key, stored in read if stored is not None), part)

    def read_predictions(self, key: str) -> Predictions | None:
        """The stored log-probabilities of a member; None, and an entry in `damaged`, where they cannot be read."""
        return self._read(self.population.predictions, key)

    def _read(self, read: Callable[[Member], T], key: str) -> T | None:
        try:
            return read(self.records[key])
        except DamagedMember as error:
            self.damaged[key] = str(error)
            return None

    @cached_property
    def label_only(self) -> dict[str, list[str]]:
        """Keys of the members trained here that nobody taught, by spec apart from seeds, in order of their seeds."""
        keys: dict[str, list[str]] = {}
        trained = [member for member in self.records.values() if not isinstance(member.generation, ImportedGeneration)]
        untaught = [member for member in trained if not member.generation.teachers]
        for member in sorted(untaught, key=_by_seed):
            keys.setdefault(spec_of(member.generation), []).append(member.key)
        return keys

    @cached_property
    def searches(self) -> list[str]:
        """Names of the searches."""
        return names(self.storage)

    def search(self, name: str) -> Search:
        """Raises UserError: no search of this name, or its record cannot be read."""
        return read(self.storage, name)

    def groups(self, search: str | None = None) -> list[ChainGroup]:
        """Chains sorted by what they have in common apart from seeds; of one search, or of the whole population."""
        if search is None:
            return from_links(chains.linked(self.records))
        return from_search(chains.recorded(self.records, self.search(search).chains))


def _by_seed(member: Member) -> tuple[float, int, str]:
    chain_seed = frames.number(member.provenance.get("chain_seed"))
    return (float("inf") if isnan(chain_seed) else chain_seed, member.generation.seed, member.key)
