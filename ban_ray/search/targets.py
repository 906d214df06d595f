"""What a search minimises, of finished chains: held-out error and size; never anything of the test set."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ban_ray import ensembles
from ban_ray.errors import DamagedMember
from ban_ray.networks import names
from ban_ray.population import Member, Population
from ban_ray.search.policy import ERROR, PARAMETERS, Policy
from ban_ray.search.request import Planned, Request
from ban_ray.specs import Generation


@dataclass(frozen=True)
class Found:
    """A chain's published generations, without the ones after the first that is missing."""

    planned: Planned
    members: tuple[Member, ...]

    @property
    def whole(self) -> bool:
        return len(self.members) == len(self.planned.chain.generations)


def find(population: Population, planned: Planned) -> Found:
    """Look a chain up."""
    members = []
    for key in planned.chain.keys:
        member = population.get(key)
        if member is None:
            break
        members.append(member)
    return Found(planned, tuple(members))


def whole(population: Population, planned: Planned) -> bool:
    """Whether every generation of a chain is a member, none of them damaged."""
    try:
        return find(population, planned).whole
    except DamagedMember:
        # Whoever needs it tells of it.
        return False


def values(request: Request, population: Population, chains: Sequence[Found]) -> tuple[float, ...]:
    """The targets of a configuration: means over its chains, one for each seed."""
    each = [_of_chain(request, population, found) for found in chains]
    return tuple(statistics.fmean(column) for column in zip(*each, strict=True))


def sizes(request: Request, generations: Sequence[Generation]) -> tuple[float, ...]:
    """The targets after the error, of networks that are used together."""
    return tuple(
        float(sum(_size(request, name, generation) for generation in generations))
        for name in request.policy.minimised
        if name != ERROR
    )


def held_out_error(policy: Policy, population: Population, found: Found) -> tuple[float, tuple[Member, ...]]:
    """A chain's error in percent and the members that make it; without held-out data, of the last one on test."""
    metric = found.planned.metric
    errors = [metric.of(member, "held_out") for member in found.members]
    kept = [error for error in errors if error is not None]
    if len(kept) < len(errors):
        # Nothing may be selected by it: the study then only lists what a grid found.
        return metric.of(found.members[-1]) or 0.0, found.members[-1:]
    if policy.error_of == "best":
        best = kept.index(min(kept))
        return kept[best], (found.members[best],)
    if policy.error_of == "ensemble":
        members = found.members[1:] or found.members
        predictions = [population.predictions(member) for member in members]
        average = ensembles.together([one.held_out for one in predictions])
        return metric.mean(metric.losses(average, predictions[0].held_out_labels)), members
    return kept[-1], found.members[-1:]


def _of_chain(request: Request, population: Population, found: Found) -> tuple[float, ...]:
    error, members = held_out_error(request.policy, population, found)
    numbers = [found.members.index(member) for member in members]
    return error, *sizes(request, [found.planned.chain.generations[number] for number in numbers])


def _size(request: Request, target: str, generation: Generation) -> int:
    classes, channels = request.decoded.num_classes, request.decoded.in_channels
    if target == PARAMETERS:
        return names.parse(generation.network, generation.network_arguments or None).parameters(classes, channels)
    arguments = json.dumps(generation.network_arguments, sort_keys=True)
    return _multiply_accumulates(generation.network, arguments, classes, channels, request.decoded.sample_shape)


@cache
def _multiply_accumulates(network: str, arguments: str, classes: int, channels: int, shape: tuple[int, ...]) -> int:
    # Torch is imported where this target is asked for, and only there.
    from ban_ray.networks.cost import of_sample

    return of_sample(network, classes, channels, shape, json.loads(arguments) or None)
