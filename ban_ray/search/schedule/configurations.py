"""The configurations of a search, proposed one after another and recorded in the study when their chains have ended."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec, invalid_reason
from ban_ray.search.plan.stored_shapes import check_stored_shapes
from ban_ray.search.schedule.controller import ChainCallback
from ban_ray.search.schedule.early_stopping import StoppingRule
from ban_ray.search.schedule.outcome import DONE, ChainOutcome
from ban_ray.search.study import records, targets
from ban_ray.search.study.configuration_source import ConfigurationSource
from ban_ray.search.study.study import FROM_POPULATION_ATTR, SATURATED_ATTR, SearchStudy, recorded_rung_errors
from ban_ray.specs.parameters import Configuration, configuration_id, continuous, grid

MAX_LISTED_CONFIGURATIONS = 1000
"""Number of configurations up to which all of a space are looked up in the population. Of a larger space, only those
that searches of this storage have recorded are."""


@dataclass
class _ConfigurationState:
    """A configuration in this execution.

    Attributes:
        remaining: those of its chains that have not ended.
        trial_number: number of its trial in the study; None until a chain starts.
        messages: of the chains that have ended, by the status of their outcome.
    """

    chains: tuple[PlannedChain, ...]
    remaining: list[PlannedChain]
    trial_number: int | None = None
    messages: dict[str, list[str]] = field(default_factory=dict)


class ConfigurationManager(ChainCallback):
    """Proposes the configurations of a search, and records in the study how they end.

    A configuration has one trial in the study, which is closed when the chains of all its seeds have ended.

    Args:
        finished: trials of the configurations that need no more training, by the configuration's id.

    Attributes:
        num_from_population: number of configurations that other searches have trained.
    """

    def __init__(
        self,
        spec: SearchSpec,
        population: Population,
        search_name: str,
        study: SearchStudy,
        configuration_source: ConfigurationSource,
        stopping_rule: StoppingRule,
        finished: Mapping[str, FrozenTrial],
    ) -> None:
        self._spec, self._population, self._search_name = spec, population, search_name
        self._study, self._configuration_source, self._stopping_rule = study, configuration_source, stopping_rule
        self._finished, self._finished_ids = finished, set(finished)
        self._states: dict[str, _ConfigurationState] = {}
        self._pending: list[Configuration] = []
        self._num_proposed = 0
        self._is_exhausted = False
        self.num_from_population = 0

    def restore(self) -> None:
        """Load what this search and the population have finished; interrupted configurations will be proposed first.

        Raises:
            UserError: a member's network is the user's own, and its code builds another one today.
        """
        for trial in self._finished.values():
            self._add(trial.params)
            # Optuna gives a pruned trial its last intermediate value.
            values = trial.values if trial.state == TrialState.COMPLETE else None
            self._configuration_source.tell(trial.params, trial.state, values, recorded_rung_errors(trial))
            self._num_proposed += FROM_POPULATION_ATTR not in trial.user_attrs
        self._add_from_population()
        study = self._study
        candidates = (*study.unfinished_configurations(self._finished), *study.completed_in_other_studies())
        pending = {configuration_id(c): c for c in candidates if self._is_valid(c)}
        self._pending = [c for identifier, c in pending.items() if identifier not in self._finished_ids]

    @property
    def chains(self) -> tuple[PlannedChain, ...]:
        """The chains of every configuration so far, those from the population included."""
        return tuple(planned for state in self._states.values() for planned in state.chains)

    @property
    def skip_reasons(self) -> list[str]:
        """Sentences about proposals that were rejected, and about samples that could not be made."""
        rejections = self._configuration_source.rejection_counts.items()
        sentences = [f"{count} proposals were passed over: {reason}" for reason, count in rejections]
        if self._is_exhausted:
            sentences.append(
                f"the space has no further configuration: {self._num_proposed} of "
                f"{self._spec.strategy.num_samples} samples were made"
            )
        return sentences

    @property
    def num_remaining(self) -> int:
        """Number of configurations that are still to be sampled."""
        return max(0, (self._spec.strategy.num_samples or 0) - self._num_proposed)

    def next_incomplete_chains(self) -> list[PlannedChain] | None:
        """The chains to train of the next configuration that has any; None if there is no such configuration."""
        while not self._spec.is_sampled or self.num_remaining:
            self._spec.teacher_decisions.refresh_candidates()
            configuration = self._pending.pop(0) if self._pending else None
            if configuration is not None:
                self._configuration_source.add_running(configuration)
            else:
                configuration = self._configuration_source.ask(self._num_proposed)
            if configuration is None:
                self._is_exhausted = self._spec.is_sampled
                return None
            self._num_proposed += 1
            if reason := self._spec.teacher_decisions.obstacle(configuration, self._spec.seeds):
                # Of a list; a sampler has passed it over.
                self._configuration_source.rejection_counts[reason] += 1
                continue
            if chains := self._incomplete_chains(configuration):
                return chains
        return None

    def on_chain_start(self, planned: PlannedChain) -> None:
        identifier = configuration_id(planned.configuration)
        state = self._states[identifier]
        if state.trial_number is None and identifier not in self._finished_ids:
            state.trial_number = self._study.open_trial(planned.configuration)

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        state = self._states[configuration_id(planned.configuration)]
        self.on_chain_start(planned)
        state.remaining.remove(planned)
        state.messages.setdefault(outcome.status, []).append(f"seed {planned.seed}: {outcome.message}")
        if not state.remaining and state.trial_number is not None:
            self._close_trial(state, state.trial_number)

    def interrupt_open_trials(self) -> None:
        """Close the trials that are still open: the search ends before these configurations do."""
        for state in self._states.values():
            if state.remaining and state.trial_number is not None:
                self._study.interrupt_trial(state.trial_number)
                state.trial_number = None

    def _incomplete_chains(self, configuration: Configuration) -> list[PlannedChain]:
        """Add a configuration, and return those of its chains that are to be trained."""
        incomplete_chains = []
        self._spec.teacher_decisions.decide(configuration, self._spec.seeds)
        for planned in self._add(configuration):
            records.write_chain(self._population.storage, planned, self._search_name)
            if targets.is_chain_complete(self._population, planned):
                self._stopping_rule.record_published(planned)
                self.on_chain_end(planned, DONE)
            elif configuration_id(configuration) not in self._finished_ids:
                incomplete_chains.append(planned)
        return incomplete_chains

    def _add(self, configuration: Configuration) -> tuple[PlannedChain, ...]:
        chains = self._spec.chains_of(configuration)
        self._states[configuration_id(configuration)] = _ConfigurationState(chains, list(chains))
        return chains

    def _add_from_population(self) -> None:
        """Add a complete trial to the study for each configuration whose generations are all published."""
        published = set(self._population.keys())
        for configuration in filter(self._is_valid, self._candidates()):
            if not self._spec.teacher_decisions.is_decided(configuration, self._spec.seeds):
                continue
            chains = self._spec.chains_of(configuration)
            generations = [g for planned in chains for g in planned.chain.generations if g.key in published]
            check_stored_shapes(generations, self._population, self._spec.dataset)
            is_complete = all(published.issuperset(planned.chain.keys) for planned in chains)
            if configuration_id(configuration) in self._finished_ids or not is_complete:
                continue
            try:
                values = targets.target_values(self._spec, self._population, chains)
            except DamagedMember:
                # `verify` reports it; the search trains it again.
                continue
            self._add(configuration)
            for planned in chains:
                self._stopping_rule.record_published(planned)
            number = self._study.open_trial(configuration)
            self._finish(chains, number, TrialState.COMPLETE, {FROM_POPULATION_ATTR: True}, values)
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

    def _close_trial(self, state: _ConfigurationState, number: int) -> None:
        configuration = state.chains[0].configuration
        if reasons := state.messages.get("failed"):
            self._study.tell(number, configuration, TrialState.FAIL, user_attrs={"reason": "; ".join(reasons)})
        elif reasons := state.messages.get("pruned"):
            self._finish(state.chains, number, TrialState.PRUNED, {"reason": reasons[0]})
        elif state.messages.get("interrupted"):
            self._study.interrupt_trial(number)
        else:
            try:
                values = targets.target_values(self._spec, self._population, state.chains)
            except DamagedMember as error:
                self._study.tell(number, configuration, TrialState.FAIL, user_attrs={"reason": str(error)})
                return
            saturated = state.messages.get("saturated")
            self._finish(
                state.chains, number, TrialState.COMPLETE, {SATURATED_ATTR: saturated} if saturated else {}, values
            )

    def _finish(
        self,
        chains: Sequence[PlannedChain],
        number: int,
        state: TrialState,
        user_attrs: dict[str, object],
        values: Sequence[float] | None = None,
    ) -> None:
        """Close the trial of a configuration that needs no more training."""
        configuration = chains[0].configuration
        user_attrs = {**user_attrs, **self._user_attrs(chains)}
        errors = self._stopping_rule.rung_errors(configuration)
        self._study.tell(number, configuration, state, values=values, user_attrs=user_attrs, rung_errors=errors)
        self._finished_ids.add(configuration_id(configuration))

    def _user_attrs(self, chains: Sequence[PlannedChain]) -> dict[str, object]:
        published = [targets.published_members(self._population, planned) for planned in chains]
        last_members = [members[-1] for members in published if members]
        metric = self._spec.metric
        held_out = [metric.value_of(member, "held_out") for member in last_members]
        is_test = any(error is None for error in held_out)
        return {
            "value_is": f"test {metric.heading} (paper protocol, not for selection)"
            if is_test
            else self._spec.error_description,
            "seeds": [planned.seed for planned in chains],
            f"held_out_{metric.key}": held_out,
            "keys": [member.key for member in last_members],
            **({"teachers": chosen} if any(chosen := [p.teachers and p.teachers.description for p in chains]) else {}),
        }
