"""Chains of members: those that a search recorded, or those that links from student to teacher make."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from pydantic import JsonValue

from ban_ray.population import Member
from ban_ray.population.search_records import ChainRecord


@dataclass(frozen=True, eq=False)
class RecordedChain:
    """The members of a chain, generation 0 first; None where one was not trained or cannot be read.

    Attributes:
        seed: the chain's, which the seeds of its generations were derived from; None where it was not recorded.
        root: name of the cluster of chains that share an ancestor (a member that nobody taught).
        configuration: the search's setting that made it; empty for a chain found by its links.
        label: its role in the search.
        row, columns: the position of its generations in the search's table; empty where that was not recorded.
    """

    seed: int | None
    keys: tuple[str, ...]
    members: tuple[Member | None, ...]
    root: str = ""
    configuration: Mapping[str, JsonValue] = field(default_factory=dict)
    label: str = ""
    row: str = ""
    columns: tuple[str, ...] = ()

    def member(self, generation: int) -> Member | None:
        """The member of a generation, None where there is none."""
        return self.members[generation] if generation < len(self.members) else None

    @property
    def born_again(self) -> bool:
        """Whether any generation after the first learns from a teacher; sharing its layers alone is not learning."""
        return any(member is not None and member.generation.objective.needs_teacher for member in self.members[1:])

    @property
    def complete(self) -> bool:
        """Whether every generation has a member."""
        return None not in self.members


def recorded(records: Mapping[str, Member], chains: Iterable[ChainRecord]) -> list[RecordedChain]:
    """The chains of a search."""
    recorded_chains = [
        RecordedChain(
            seed=chain.seed,
            keys=chain.keys,
            members=tuple(records.get(key) for key in chain.keys),
            configuration=chain.configuration,
            label=chain.label,
            row=chain.row,
            columns=chain.columns,
        )
        for chain in chains
    ]
    return _with_roots(recorded_chains, records)


def linked(records: Mapping[str, Member]) -> list[RecordedChain]:
    """A chain for every member that taught nobody, from its ancestor without a teacher down to it.

    Where several members taught one, the chain goes through the one with the longest line of teachers.
    """
    teaching = {key for member in records.values() for key in member.generation.teachers}
    depths = generation_numbers(records)
    linked_chains = []
    for key in sorted(records.keys() - teaching):
        path = [key]
        while (member := records.get(path[-1])) and member.generation.teachers:
            path.append(max(member.generation.teachers, key=lambda teacher: depths.get(teacher, 0)))
        keys = tuple(reversed(path))
        members = tuple(records.get(key) for key in keys)
        linked_chains.append(RecordedChain(seed=_seed(members), keys=keys, members=members))
    return _with_roots(linked_chains, records)


def generation_numbers(records: Mapping[str, Member]) -> dict[str, int]:
    """The number of generations before each member: 0 where nobody taught it.

    A teacher that is not in the storage counts as one generation.
    """
    teachers = {key: member.generation.teachers for key, member in records.items()}
    numbers: dict[str, int] = {}
    for key in TopologicalSorter(teachers).static_order():
        numbers[key] = 1 + max((numbers[teacher] for teacher in teachers.get(key, ())), default=-1)
    return {key: numbers[key] for key in records}


def _seed(members: Iterable[Member | None]) -> int | None:
    for member in members:
        if member is not None:
            recorded = member.provenance.get("chain_seed")
            return recorded if isinstance(recorded, int) else member.generation.seed
    return None


def _with_roots(chains: list[RecordedChain], records: Mapping[str, Member]) -> list[RecordedChain]:
    """Chains of one root for all that are joined by shared ancestors, directly or through another chain."""
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    visited = set()
    for chain in chains:
        waiting = list(chain.keys)
        while waiting:
            key = waiting.pop()
            parent[find(key)] = find(chain.keys[0])
            if key in records and key not in visited:
                waiting.extend(records[key].generation.teachers)
            visited.add(key)
    return [replace(chain, root=find(chain.keys[0])) for chain in chains]
