"""The configurations of a sampled search: found, begun earlier, and proposed."""

import itertools
from collections.abc import Iterator, Mapping

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.resolve import PlannedChain, SearchSpec, invalid_reason
from ban_ray.search.plan.stored_shapes import check_stored_shapes
from ban_ray.search.schedule.configurations import ConfigurationTracker
from ban_ray.search.schedule.early_stopping import EarlyStopping
from ban_ray.search.schedule.outcome import DONE
from ban_ray.search.study import records, targets
from ban_ray.search.study.sampler import ConfigurationSampler
from ban_ray.search.study.study import FROM_POPULATION, SearchStudy, rung_errors
from ban_ray.specs import digest
from ban_ray.specs.parameters import Configuration, continuous, grid

MAX_ENUMERATED = 1000
"""Configurations of a space that are all looked up in the population; of a larger one those of its searches are."""


class SampledConfigurations:
    """Hands out the chains of one configuration after another until the search has its samples.

    Attributes:
        chains: of every configuration of the search, those found in the population included.
        left_out: sentences about what was passed over.
    """

    def __init__(
        self,
        request: SearchSpec,
        population: Population,
        name: str,
        study: SearchStudy,
        finished: Mapping[str, FrozenTrial],
        tracker: ConfigurationTracker,
        sampler: ConfigurationSampler,
        early_stopping: EarlyStopping | None,
    ) -> None:
        self._request, self._population, self._name = request, population, name
        self._tracker, self._sampler, self._early_stopping = tracker, sampler, early_stopping
        self._num_configurations = 0
        self._exhausted = False
        self.chains: list[PlannedChain] = []
        self._restore(finished)
        num_from_population = self._add_from_population()
        # Those that were interrupted come before those that are new.
        pending = [*study.started(finished), *study.of_other_studies()]
        self._pending = [c for c in _distinct(pending) if not tracker.is_finished(c) and self._is_valid(c)]
        self.found = len(num_from_population)

    @property
    def skipped(self) -> list[str]:
        said = [f"{count} proposals were passed over: {reason}" for reason, count in self._sampler.rejected.items()]
        if self._exhausted:
            said.append(
                f"the space has no further configuration: {self._num_configurations} of {self._samples} samples were "
                "made"
            )
        return said

    @property
    def _samples(self) -> int:
        return self._request.strategy.samples or 0

    @property
    def remaining(self) -> int:
        """Configurations that are still to be made."""
        return max(0, self._samples - self._num_configurations)

    def propose(self) -> list[PlannedChain] | None:
        """The chains to train of the next configuration; None when the search has its samples."""
        while self._num_configurations < self._samples:
            if self._pending:
                configuration = self._pending.pop(0)
                self._sampler.tell_started(configuration)
            else:
                asked = self._sampler.ask(self._num_configurations)
                if asked is None:
                    self._exhausted = True
                    return None
                configuration = asked
            self._num_configurations += 1
            chains = self._add(configuration)
            for planned in chains:
                records.write_chain(self._population.storage, planned, self._name)
            complete = [planned for planned in chains if targets.is_chain_complete(self._population, planned)]
            for planned in complete:
                if self._early_stopping:
                    self._early_stopping.add_completed(planned)
                self._tracker.on_chain_end(planned, DONE)
            if len(complete) < len(chains):
                return [planned for planned in chains if planned not in complete]
        return None

    def _add(self, configuration: Configuration) -> tuple[PlannedChain, ...]:
        chains = self._request.chains_of(configuration)
        self._tracker.add(chains)
        self.chains.extend(chains)
        return chains

    def _restore(self, finished: Mapping[str, FrozenTrial]) -> None:
        """What the study holds from an earlier start."""
        for trial in finished.values():
            self._add(trial.params)
            # Optuna gives a pruned trial its last intermediate value.
            if trial.state == TrialState.COMPLETE and trial.values is not None:
                self._sampler.tell_complete(trial.params, trial.values)
            else:
                self._sampler.tell_pruned(trial.params, rung_errors(trial))
            self._num_configurations += FROM_POPULATION not in trial.user_attrs

    def _add_from_population(self) -> list[Configuration]:
        """Configurations whose chains are members already enter the study finished.

        Raises:
            UserError: a member's network is built by code of the user's, and is another today.
        """
        added, data = [], self._request.dataset
        published = set(self._population.keys())
        for configuration in self._candidates():
            if not self._is_valid(configuration):
                continue
            chains = self._request.chains_of(configuration)
            held = [link for planned in chains for link in planned.chain.generations if link.key in published]
            check_stored_shapes(held, self._population, num_classes=data.num_classes, in_channels=data.in_channels)
            if self._tracker.is_finished(configuration) or not all(
                published.issuperset(planned.chain.keys) for planned in chains
            ):
                continue
            try:
                members = [targets.load_chain(self._population, planned) for planned in chains]
                values = targets.target_values(self._request, self._population, members)
            except DamagedMember:
                # `verify` tells of it; here it is as if it were not there.
                continue
            self._add(configuration)
            if self._early_stopping:
                for planned in chains:
                    self._early_stopping.add_completed(planned)
            self._tracker.add_from_population(chains, values)
            added.append(configuration)
        return added

    def _candidates(self) -> Iterator[Configuration]:
        """Configurations of this space that may have been trained: all of a small one, else those of searches."""
        parameters = self._request.scale.parameters
        if not continuous(parameters):
            every = list(itertools.islice(grid(parameters), MAX_ENUMERATED + 1))
            if len(every) <= MAX_ENUMERATED:
                yield from every
                return
        yield from records.recorded_configurations(self._population.storage, parameters)

    def _is_valid(self, configuration: Configuration) -> bool:
        return not invalid_reason(self._request, configuration)


def _distinct(configurations: list[Configuration]) -> list[Configuration]:
    return list({digest(dict(one)): one for one in configurations}.values())
