"""The configurations of a search in the order in which they run: listed, resumed and proposed."""

import itertools
from collections.abc import Iterable, Mapping

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec, invalid_reason
from ban_ray.search.plan.stored_shapes import check_stored_shapes
from ban_ray.search.schedule.configurations import ConfigurationTracker
from ban_ray.search.schedule.early_stopping import StoppingRule
from ban_ray.search.schedule.outcome import DONE
from ban_ray.search.study import records, targets
from ban_ray.search.study.configuration_source import ConfigurationSource
from ban_ray.search.study.study import FROM_POPULATION, SearchStudy, rung_errors
from ban_ray.specs.parameters import Configuration, configuration_id, continuous, grid

MAX_LISTED_CONFIGURATIONS = 1000
"""Configurations up to which a space is looked up in the population as a whole. Of a larger space, only the
configurations that searches of this storage have recorded are."""


class ChainProposer:
    """Proposes the chains of one configuration after another until the search has all.

    Attributes:
        chains: chains of every configuration of the search, those from the population included.
        num_from_population: number of configurations that other searches have trained.
    """

    def __init__(
        self,
        spec: SearchSpec,
        population: Population,
        name: str,
        configuration_source: ConfigurationSource,
        configuration_tracker: ConfigurationTracker,
        stopping_rule: StoppingRule,
    ) -> None:
        self._spec, self._population, self._name = spec, population, name
        self._source, self._tracker, self._stopping_rule = configuration_source, configuration_tracker, stopping_rule
        self._pending: list[Configuration] = []
        self._num_configurations = 0
        self._is_exhausted = False
        self.num_from_population = 0
        self.chains: list[PlannedChain] = []

    def resume(self, study: SearchStudy, finished: Mapping[str, FrozenTrial]) -> None:
        """Learn what this search and the population have finished, and line up interrupted configurations to run first.

        Raises:
            UserError: a member's network is built by code of the user's, and is another today.
        """
        for trial in finished.values():
            self._add(trial.params)
            # Optuna gives a pruned trial its last intermediate value.
            values = trial.values if trial.state == TrialState.COMPLETE else None
            self._source.tell(trial.params, trial.state, values, rung_errors(trial))
            self._num_configurations += FROM_POPULATION not in trial.user_attrs
        self._add_from_population()
        candidates = (*study.unfinished_configurations(finished), *study.completed_in_other_studies())
        pending = {configuration_id(c): c for c in candidates}
        self._pending = [c for c in pending.values() if not self._tracker.is_finished(c) and self._is_valid(c)]

    @property
    def skip_reasons(self) -> list[str]:
        """Sentences about proposals that were passed over, and about samples that could not be made."""
        rejections = self._source.rejection_counts.items()
        sentences = [f"{count} proposals were passed over: {reason}" for reason, count in rejections]
        if self._is_exhausted:
            sentences.append(
                f"the space has no further configuration: {self._num_configurations} of "
                f"{self._spec.strategy.num_samples} samples were made"
            )
        return sentences

    @property
    def num_remaining(self) -> int:
        """Number of configurations that are still to be sampled."""
        return max(0, (self._spec.strategy.num_samples or 0) - self._num_configurations)

    def next_open_chains(self) -> list[PlannedChain] | None:
        """The chains to train of the next configuration that has any; None if there is no such configuration."""
        while not self._spec.is_sampled or self.num_remaining:
            configuration = self._pending.pop(0) if self._pending else None
            if configuration is not None:
                self._source.tell_started(configuration)
            else:
                configuration = self._source.ask(self._num_configurations)
            if configuration is None:
                self._is_exhausted = self._spec.is_sampled
                return None
            self._num_configurations += 1
            if chains := self._open_chains(configuration):
                return chains
        return None

    def _open_chains(self, configuration: Configuration) -> list[PlannedChain]:
        """Register the chains of a configuration, and return those that are to be trained."""
        open_chains = []
        for planned in self._add(configuration):
            records.write_chain(self._population.storage, planned, self._name)
            if targets.is_chain_complete(self._population, planned):
                self._stopping_rule.record_published(planned)
                self._tracker.on_chain_end(planned, DONE)
            elif not self._tracker.is_finished(configuration):
                open_chains.append(planned)
        return open_chains

    def _add(self, configuration: Configuration) -> tuple[PlannedChain, ...]:
        chains = self._spec.chains_of(configuration)
        self._tracker.add_configuration(chains)
        self.chains.extend(chains)
        return chains

    def _add_from_population(self) -> None:
        """Add a complete trial to the study for each configuration whose generations are all published."""
        published = set(self._population.keys())
        for configuration in filter(self._is_valid, self._candidates()):
            chains = self._spec.chains_of(configuration)
            members = [link for planned in chains for link in planned.chain.generations if link.key in published]
            check_stored_shapes(members, self._population, self._spec.dataset)
            is_complete = all(published.issuperset(planned.chain.keys) for planned in chains)
            if self._tracker.is_finished(configuration) or not is_complete:
                continue
            try:
                values = targets.target_values(self._spec, self._population, chains)
            except DamagedMember:
                # `verify` reports it; the search trains it again.
                continue
            self._add(configuration)
            for planned in chains:
                self._stopping_rule.record_published(planned)
            self._tracker.add_from_population(chains, values)
            self.num_from_population += 1

    def _candidates(self) -> Iterable[Configuration]:
        """Configurations that may have been trained: all of a small space, else those that searches have recorded."""
        parameters = self._spec.scale.parameters
        if not continuous(parameters):
            listed = list(itertools.islice(grid(parameters), MAX_LISTED_CONFIGURATIONS + 1))
            if len(listed) <= MAX_LISTED_CONFIGURATIONS:
                return listed
        return records.recorded_configurations(self._population.storage, parameters)

    def _is_valid(self, configuration: Configuration) -> bool:
        return not invalid_reason(self._spec, configuration)
