"""The plan of a search: what is published, what is missing, and what that costs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ban_ray.networks import registry
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan.cost import Cost, estimate_cost
from ban_ray.search.plan.stored_shapes import check_stored_shapes
from ban_ray.specs import Generation


@dataclass(frozen=True)
class Plan:
    """The distinct generations of a search; one that several chains share counts once.

    Attributes:
        published_keys: keys that are members already.
        missing_generations: generations to train, in the order in which they first appear in chains.
        incomplete_chains: chains that miss at least one generation.
    """

    spec: SearchSpec
    published_keys: frozenset[str]
    missing_generations: tuple[Generation, ...]
    incomplete_chains: tuple[PlannedChain, ...]

    @property
    def num_distinct_generations(self) -> int:
        return len(self.published_keys) + len(self.missing_generations)


def make_plan(spec: SearchSpec, population: Population | None) -> Plan:
    """Look every generation up; without a population, all are missing.

    Raises:
        UserError: a member's network is the user's own, and its code builds another one today.
    """
    wanted = spec.distinct_generations
    published = frozenset(key for key in wanted if population is not None and key in population)
    if population is not None:
        check_stored_shapes([wanted[key] for key in wanted if key in published], population, spec.dataset)
    missing = tuple(generation for key, generation in wanted.items() if key not in published)
    incomplete_chains = tuple(planned for planned in spec.chains if not published.issuperset(planned.chain.keys))
    return Plan(spec, published, missing, incomplete_chains)


def count_reused_teachers(plan: Plan) -> dict[str, int]:
    """Number of members by network that are published already and teach a missing generation."""
    wanted = plan.spec.distinct_generations
    keys = dict.fromkeys(
        key for generation in plan.missing_generations for key in generation.teachers if key in plan.published_keys
    )
    return dict(Counter(wanted[key].network for key in keys))


def estimate_plan_cost(plan: Plan, population: Population | None) -> Cost | None:
    """The cost of the missing generations; None if there are none."""
    return estimate_cost(plan.spec, plan.missing_generations, generations_by_key(plan, population))


def generations_by_key(plan: Plan, population: Population | None) -> dict[str, Generation]:
    """The generations of a search and the teachers of missing ones, by key."""
    generations = plan.spec.distinct_generations
    for first in (planned.chain.generations[0] for planned in plan.spec.chains if planned.is_undecided):
        # Who will teach is not known; a network like the student's is assumed.
        generations |= dict.fromkeys(first.teachers, first)
    for key in {key for generation in plan.missing_generations for key in generation.teachers} - generations.keys():
        assert population is not None
        generations[key] = population[key].generation
    return generations


def group_by_row(chains: Sequence[PlannedChain]) -> dict[str, list[PlannedChain]]:
    """Chains grouped by their row, in order of appearance."""
    groups: dict[str, list[PlannedChain]] = {}
    for planned in chains:
        groups.setdefault(planned.position.row, []).append(planned)
    return groups


def num_row_parameters(spec: SearchSpec, row: Sequence[PlannedChain]) -> int:
    """Number of parameters of a row's network on the search's data."""
    network = row[0].position.network or row[0].position.row
    for generation in (generation for planned in row for generation in planned.chain.generations):
        if generation.network == network:
            return spec.num_parameters_of(generation)
    return registry.parse(network).parameters(spec.dataset.num_classes, spec.dataset.in_channels)
