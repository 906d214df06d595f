"""The targets of finished chains: held-out error and size; never anything of the test set."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ban_ray.errors import DamagedMember
from ban_ray.evaluation import ensembles
from ban_ray.networks import registry
from ban_ray.population import Member, Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.config.strategy import ERROR, PARAMETERS, SearchStrategy
from ban_ray.specs import Generation


@dataclass(frozen=True)
class ChainMembers:
    """The published generations of a chain, up to the first that is missing."""

    planned: PlannedChain
    members: tuple[Member, ...]

    @property
    def is_complete(self) -> bool:
        return len(self.members) == len(self.planned.chain.generations)


def load_chain(population: Population, planned: PlannedChain) -> ChainMembers:
    """Look up the members of a chain."""
    members = []
    for key in planned.chain.keys:
        member = population.get(key)
        if member is None:
            break
        members.append(member)
    return ChainMembers(planned, tuple(members))


def is_chain_complete(population: Population, planned: PlannedChain) -> bool:
    """Whether every generation of a chain is a member, none of them damaged."""
    try:
        return load_chain(population, planned).is_complete
    except DamagedMember:
        # Reading it raises the error.
        return False


def target_values(spec: SearchSpec, population: Population, chains: Sequence[ChainMembers]) -> tuple[float, ...]:
    """The targets of a configuration: means over its chains, one for each seed."""
    by_chain = [_chain_targets(spec, population, chain) for chain in chains]
    return tuple(statistics.fmean(values) for values in zip(*by_chain, strict=True))


def size_targets(spec: SearchSpec, generations: Sequence[Generation]) -> tuple[float, ...]:
    """The targets after the error, summed over networks that are used together."""
    return tuple(
        float(sum(_size(spec, name, generation) for generation in generations))
        for name in spec.strategy.targets
        if name != ERROR
    )


def held_out_error(
    strategy: SearchStrategy, population: Population, chain: ChainMembers
) -> tuple[float, tuple[Member, ...]]:
    """A chain's error in percent, and the members that have it; the last member's on test if nothing is held out."""
    metric = chain.planned.metric
    errors = [metric.value_of(member, "held_out") for member in chain.members]
    held_out = [error for error in errors if error is not None]
    if len(held_out) < len(errors):
        # Nothing is selected by it: the study only lists what a grid found.
        return metric.value_of(chain.members[-1]) or 0.0, chain.members[-1:]
    if strategy.select_by == "best":
        best = held_out.index(min(held_out))
        return held_out[best], (chain.members[best],)
    if strategy.select_by == "ensemble":
        members = chain.members[1:] or chain.members
        predictions = [population.predictions(member) for member in members]
        average = ensembles.combine([prediction.held_out for prediction in predictions])
        return metric.mean(metric.losses(average, predictions[0].held_out_labels)), members
    return held_out[-1], chain.members[-1:]


def _chain_targets(spec: SearchSpec, population: Population, chain: ChainMembers) -> tuple[float, ...]:
    error, members = held_out_error(spec.strategy, population, chain)
    numbers = [chain.members.index(member) for member in members]
    return error, *size_targets(spec, [chain.planned.chain.generations[number] for number in numbers])


def _size(spec: SearchSpec, target: str, generation: Generation) -> int:
    classes, channels = spec.dataset.num_classes, spec.dataset.in_channels
    if target == PARAMETERS:
        return registry.architecture_of(generation).parameters(classes, channels)
    arguments = json.dumps(generation.network_arguments, sort_keys=True)
    return _multiply_accumulates(generation.network, arguments, classes, channels, spec.dataset.sample_shape)


@cache
def _multiply_accumulates(network: str, arguments: str, classes: int, channels: int, shape: tuple[int, ...]) -> int:
    # Torch is imported only for this target.
    from ban_ray.networks.cost import multiply_accumulates

    return multiply_accumulates(network, classes, channels, shape, json.loads(arguments) or None)
