"""A race of configurations: the seeds that a decided one does not run."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.crossed_interval import crossed_interval
from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.specs.chain import LABEL
from ban_ray.specs.parameters import configuration_id

MIN_SEEDS = 2
LEVEL = 0.99
"""Of the intervals that decide, on held-out data. One of a hundred comparisons of equals drops one of them, and it
drops a configuration for which an equal one costs no more."""


def is_race(spec: SearchSpec) -> bool:
    """Whether configurations that held-out data decide run on no further seed."""
    return spec.space.drops_beaten and not spec.is_sampled and spec.context.task.protocol == "search"


class Race:
    """Decides which configurations of a list run on no further seed.

    A configuration is dropped after two seeds if each of its students, or the one network that it trains, is
    distinguishably worse on held-out data than the last generation of one and the same other configuration, whose chain
    costs no more. Early stopping beats nothing, since these samples have chosen its epoch. Networks of the baseline's
    spec are never dropped: all are compared with them, and ensembles are made of them.
    """

    def __init__(self, spec: SearchSpec, population: Population) -> None:
        self._spec, self._population = spec, population
        self._by_configuration: dict[str, dict[int, PlannedChain]] = {}
        for planned in spec.chains:
            self._by_configuration.setdefault(configuration_id(planned.configuration), {})[planned.seed] = planned
        self._read: dict[str, NDArray[np.generic]] = {}

    def reason_to_drop(self, planned: PlannedChain) -> str:
        """The reason why a chain that is about to start is not run; empty if it is to be run."""
        identifier = configuration_id(planned.configuration)
        before = self._spec.seeds[: self._spec.seeds.index(planned.seed)]
        if len(before) < MIN_SEEDS or _is_baseline(planned, self._spec):
            return ""
        for other, rival in self._by_configuration.items():
            if (
                other != identifier
                and rival[planned.seed].chain.generations[-1].recipe.averaging != "best"
                and _cost(rival[planned.seed]) <= _cost(planned)
                and self._beats(rival, planned, before)
            ):
                return (
                    f"worse than {rival[planned.seed].position.row} on held-out data after {len(before)} seeds, which "
                    "costs no more"
                )
        return ""

    def _beats(self, rival: dict[int, PlannedChain], planned: PlannedChain, seeds: Sequence[int]) -> bool:
        own = self._by_configuration[configuration_id(planned.configuration)]
        better = [self._losses(rival[seed].chain.keys[-1]) for seed in seeds]
        taught = [number for number, generation in enumerate(planned.chain.generations) if generation.teachers]
        for number in taught or (0,):
            worse = [self._losses(own[seed].chain.keys[number]) for seed in seeds]
            pairs = [(a, b) for a, b in zip(better, worse, strict=True) if a is not None and b is not None]
            if len(pairs) < MIN_SEEDS:
                return False
            first, second = zip(*pairs, strict=True)
            if crossed_interval(np.stack(first), np.stack(second), level=LEVEL).low <= 0:
                return False
        return True

    def _losses(self, key: str) -> NDArray[np.generic] | None:
        """Held-out losses of a member; None while it is not published, and if it is damaged or nothing was held out."""
        try:
            if key not in self._read and (member := self._population.get(key)) is not None:
                stored = self._population.predictions(member)
                if len(stored.held_out_labels):
                    self._read[key] = self._spec.metric.losses(stored.held_out, stored.held_out_labels)
        except DamagedMember:
            # It is not compared; `verify` reports it.
            return None
        return self._read.get(key)


def _cost(planned: PlannedChain) -> int:
    return sum(generation.recipe.trained_epochs for generation in planned.chain.generations)


def _is_baseline(planned: PlannedChain, spec: SearchSpec) -> bool:
    (generation, *others) = planned.chain.generations
    return not others and generation.objective == LABEL and generation.recipe == spec.context.recipe
