"""Groups of chains that are alike apart from their seeds, so that their spread is that of the seeds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.data.chains import RecordedChain
from analysis.data.spec_text import flat, generation_name, spec_of
from ban_ray.evaluation.metrics import Metric
from ban_ray.population import Member
from ban_ray.population.imported import ImportedGeneration
from ban_ray.specs import Generation, Objective, Task, canonical_json
from ban_ray.tasks.catalog import metric_of


@dataclass(frozen=True, eq=False)
class ChainGroup:
    """Chains of one configuration, ordered by seed.

    Attributes:
        name: unique among the groups it was made with.
        representatives: a member of each generation number that any chain has.
    """

    name: str
    chains: tuple[RecordedChain, ...]
    representatives: Mapping[int, Member]

    @property
    def baseline(self) -> Generation | None:
        """The spec of generation 0, but for the seed; None where no chain has it."""
        return self.representatives[0].generation if 0 in self.representatives else None

    @cached_property
    def last(self) -> int:
        """The last generation that at least half of the chains have beside their baseline, 0 where none has."""
        half = len(self.chains) / 2
        return max((n for n in self.representatives if len(self.with_generations(0, n)) >= half), default=0)

    @cached_property
    def left_out(self) -> int:
        """How many chains lack the last generation or their baseline."""
        return len(self.chains) - len(self.with_generations(0, self.last))

    @cached_property
    def last_member(self) -> Member:
        """A member of the furthest generation that any chain has."""
        return self.representatives[max(self.representatives)]

    @property
    def final(self) -> Generation:
        """The spec of the furthest generation that any chain has."""
        return self.last_member.generation

    @property
    def has_own_baseline(self) -> bool:
        """Whether generation 0 is of the last generation's network."""
        return self.baseline is not None and self.baseline.network == self.final.network

    @property
    def task(self) -> Task:
        return self.final.task

    @property
    def metric(self) -> Metric:
        return metric_of(self.task)

    @property
    def network(self) -> str:
        """The networks from the baseline to the last generation, ``A -> B`` where they differ."""
        return " -> ".join(
            dict.fromkeys(self.representatives[n].generation.network for n in sorted(self.representatives))
        )

    @property
    def objective(self) -> Objective:
        """Of the last generation."""
        return self.final.objective

    @cached_property
    def spec(self) -> str:
        """Of the last generation, seeds and teachers aside; see `analysis.data.spec_text.spec_of`."""
        return spec_of(self.final)

    @cached_property
    def born_again(self) -> bool:
        return any(chain.born_again for chain in self.chains)

    def same_design(self, other: "ChainGroup") -> bool:
        """Whether two configurations of a search differ in their networks alone, as far as its table shows."""
        own, others = self.chains[0].columns, other.chains[0].columns
        same = self.objective == other.objective and self.task == other.task and self.last == other.last > 0
        return same and self.born_again and (own == others or not (own and others))

    def column(self, number: int) -> str:
        """The name of a generation: its column in the search's table, else ``baseline``, ``BAN-1``, ...

        Generation 0 is a ``teacher`` where the last generation is another network.
        """
        columns = self.chains[0].columns
        if number < len(columns):
            return columns[number]
        if not number and not self.has_own_baseline:
            return "teacher"
        return generation_name(number, self.representatives[number].generation.objective)

    @property
    def has_students(self) -> bool:
        """Whether any chain has a member after generation 0, or none is meant to have one."""
        return max(self.representatives) > 0 or all(len(chain.keys) == 1 for chain in self.chains)

    def with_generations(self, *generations: int) -> list[RecordedChain]:
        """The chains that have all of these generations."""
        return [chain for chain in self.chains if None not in map(chain.member, generations)]

    @property
    def members(self) -> list[Member]:
        """Of all chains; one that several chains share is there as often."""
        return [member for chain in self.chains for member in chain.members if member is not None]


def from_search(chains: Iterable[RecordedChain]) -> list[ChainGroup]:
    """The groups of a search, in the order of its chains: one for each configuration and label.

    Those without any member are left out.
    """
    sorted_out: dict[bytes, list[RecordedChain]] = defaultdict(list)
    for chain in chains:
        sorted_out[canonical_json([dict(chain.configuration), chain.label])].append(chain)
    return _named(sorted_out.values())


def from_links(chains: Iterable[RecordedChain]) -> list[ChainGroup]:
    """Groups by equal specs apart from seeds, along the whole chain.

    A born-again chain that is cut short joins the longer group that begins with its specs, if exactly one does.
    """
    sorted_out: dict[tuple[str, ...], list[RecordedChain]] = defaultdict(list)
    for chain in chains:
        sorted_out[tuple(spec_of(member.generation) if member else "?" for member in chain.members)].append(chain)
    longer: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for path in sorted_out:
        for length in range(2, len(path)):
            longer[path[:length]].add(path)
    for path in sorted(sorted_out, key=len):
        furthest = [other for other in longer[path] if not longer[other]]
        if len(path) > 1 and len(furthest) == 1:
            sorted_out[furthest[0]] += sorted_out.pop(path)
    return sorted(
        _named(sorted_out.values()),
        key=lambda g: (g.task.name, g.last_member.parameters, g.network, not g.born_again, g.name),
    )


def primary(groups: Sequence[ChainGroup]) -> ChainGroup | None:
    """The group of the one primary comparison, chosen without a look at any result.

    Of the born-again groups with a comparison: the one with the most seeds that reached its last generation, then
    with the most generations, then the first in the order given.
    """
    comparable = [group for group in groups if group.born_again and group.last]
    return max(comparable, key=lambda group: (len(group.with_generations(0, group.last)), group.last), default=None)


def _named(sorted_out: Iterable[list[RecordedChain]]) -> list[ChainGroup]:
    """Groups with names of their own, in the order given."""
    made = [_group(chains) for chains in sorted_out]
    groups = [group for group in made if group is not None]
    if len({group.task.name for group in groups}) > 1:
        groups = [replace(group, name=f"{group.task.name}: {group.name}") for group in groups]
    taken = Counter(group.name for group in groups)
    for name in [name for name, count in taken.items() if count > 1]:
        positions = [position for position, group in enumerate(groups) if group.name == name]
        endings = _endings([groups[position] for position in positions])
        for position, ending in zip(positions, endings, strict=True):
            groups[position] = replace(groups[position], name=f"{name}, {ending}")
    return groups


def _group(chains: list[RecordedChain]) -> ChainGroup | None:
    representatives = {
        number: member for chain in reversed(chains) for number, member in enumerate(chain.members) if member
    }
    if not representatives:
        return None
    ordered = sorted(chains, key=lambda chain: (chain.seed is None, chain.seed, chain.keys))
    group = ChainGroup("", tuple(ordered), representatives)
    imported = isinstance(group.final, ImportedGeneration)
    role = "imported" if imported else ordered[0].label or str(group.objective)
    return replace(group, name=f"{group.network}, {role}")


def _endings(groups: list[ChainGroup]) -> list[str]:
    """An ending for each of several groups of one name: the fields in which they differ."""
    fields = [{**flat(group.final), **dict(group.chains[0].configuration)} for group in groups]
    telling = [name for name in fields[0] if len({repr(field.get(name)) for field in fields}) > 1]
    texts = [", ".join(f"{name}={field.get(name)}" for name in telling) for field in fields]
    unique = len(set(texts)) == len(texts)
    return texts if unique else [f"{text or 'variant'} {number}" for number, text in enumerate(texts, 1)]
