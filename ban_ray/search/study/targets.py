"""Finished configurations and their targets: error and size.

The error is the held-out error. If nothing is held out, it is the test error, by which nothing is selected.
"""

import json
import statistics
from collections.abc import Sequence
from functools import cache

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.evaluation import ensembles
from ban_ray.evaluation.metrics import Metric
from ban_ray.population import Member, Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec, invalid_reason
from ban_ray.search.config.strategy import ERROR_TARGET, PARAMETERS_TARGET
from ban_ray.search.plan.race import is_race
from ban_ray.search.study.study import SATURATED_ATTR, SearchStudy
from ban_ray.specs import Generation


def published_members(population: Population, planned: PlannedChain) -> list[Member]:
    """The published generations of a chain, up to the first that is missing."""
    members: list[Member] = []
    for key in planned.chain.keys:
        if (member := population.get(key)) is None:
            break
        members.append(member)
    return members


def is_chain_complete(population: Population, planned: PlannedChain) -> bool:
    """Whether every generation of a chain is a member, none of them damaged."""
    try:
        return all(population.get(key) is not None for key in planned.chain.keys)
    except DamagedMember:
        # Reading it raises the error.
        return False


def finished_trials(spec: SearchSpec, study: SearchStudy, population: Population) -> dict[str, FrozenTrial]:
    """Trials whose configuration needs no more training, by the configuration's id.

    A trial whose chains were trained to their ends is finished, unless a member has been removed. A trial that ended
    early, pruned or saturated, lacks generations; it is finished only if the search stops chains or is a race, and not
    after another search has completed its chains. Configurations that are too large now are left out.
    """
    finished = {}
    for identifier, trial in study.complete_or_pruned_trials().items():
        if invalid_reason(spec, trial.params):
            continue
        is_complete = all(is_chain_complete(population, planned) for planned in spec.chains_of(trial.params))
        ended_early = trial.state == TrialState.PRUNED or SATURATED_ATTR in trial.user_attrs
        if ((spec.strategy.stopping or is_race(spec)) and not is_complete) if ended_early else is_complete:
            finished[identifier] = trial
    return finished


def target_values(spec: SearchSpec, population: Population, chains: Sequence[PlannedChain]) -> tuple[float, ...]:
    """The targets of a configuration: means over its chains, one for each seed."""
    by_chain = [_chain_targets(spec, population, planned) for planned in chains]
    return tuple(statistics.fmean(values) for values in zip(*by_chain, strict=True))


def size_targets(spec: SearchSpec, generations: Sequence[Generation]) -> tuple[float, ...]:
    """The targets other than the error, summed over networks that are used together."""
    return tuple(
        float(sum(_size(spec, name, generation) for generation in generations))
        for name in spec.strategy.target_names
        if name != ERROR_TARGET
    )


def _chain_targets(spec: SearchSpec, population: Population, planned: PlannedChain) -> tuple[float, ...]:
    members = published_members(population, planned)
    chain_error, numbers = _chain_error(spec.strategy.select_by, population, planned.metric, members)
    return chain_error, *size_targets(spec, [planned.chain.generations[number] for number in numbers])


def _chain_error(
    select_by: str, population: Population, metric: Metric, members: Sequence[Member]
) -> tuple[float, Sequence[int]]:
    """A chain's error and the numbers of the generations that have it; if nothing is held out, the last one's on test.

    Args:
        select_by: ``last``, ``best`` or ``ensemble``, as in `SearchStrategy`.
    """
    errors = [metric.value_of(member, "held_out") for member in members]
    held_out = [value for value in errors if value is not None]
    last = len(members) - 1
    if len(held_out) < len(errors):
        # Nothing is selected by it: the study only lists the results of a grid.
        error = metric.value_of(members[last])
        assert error is not None, f"member {members[last].key} has no test {metric.name}"
        return error, [last]
    if select_by == "best":
        best = held_out.index(min(held_out))
        return held_out[best], [best]
    if select_by == "ensemble":
        numbers = range(1, len(members)) or range(1)
        predictions = [population.predictions(members[number]) for number in numbers]
        average = ensembles.combine([prediction.held_out for prediction in predictions])
        return metric.mean(metric.losses(average, predictions[0].held_out_labels)), numbers
    return held_out[last], [last]


def _size(spec: SearchSpec, target: str, generation: Generation) -> int:
    if target == PARAMETERS_TARGET:
        return spec.num_parameters_of(generation)
    dataset, arguments = spec.dataset, json.dumps(generation.network_arguments, sort_keys=True)
    data = dataset.num_classes, dataset.in_channels, dataset.sample_shape
    return _multiply_accumulates(generation.network, arguments, *data)


@cache
def _multiply_accumulates(network: str, arguments: str, classes: int, channels: int, shape: tuple[int, ...]) -> int:
    # Torch is imported only for this target.
    from ban_ray.networks.cost import multiply_accumulates

    return multiply_accumulates(network, classes, channels, shape, json.loads(arguments) or None)
