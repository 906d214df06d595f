"""The state of each configuration: its study trial is told once, when all its chains have ended."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from optuna.trial import TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.controller import ChainCallback
from ban_ray.search.schedule.early_stopping import StoppingRule
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.study import targets
from ban_ray.search.study.study import FROM_POPULATION, SATURATED, SearchStudy
from ban_ray.specs.parameters import Configuration, configuration_id


@dataclass
class _ConfigurationState:
    """A configuration: its chains, those of them that have not ended, the number of its trial in the study once one
    has started, and the messages of ended chains by the outcome's status."""

    chains: tuple[PlannedChain, ...]
    remaining: list[PlannedChain]
    trial_number: int | None = None
    outcomes: dict[str, list[str]] = field(default_factory=dict)


class ConfigurationTracker(ChainCallback):
    """Tells the study how configurations end, with the mean over their seeds.

    Args:
        finished_ids: ids of configurations that need no more training: complete, pruned or saturated.

    Attributes:
        ended_early: chains, stopped or saturated, that ended before their last generation.
    """

    def __init__(
        self,
        spec: SearchSpec,
        study: SearchStudy,
        population: Population,
        finished_ids: Collection[str],
        stopping_rule: StoppingRule,
    ) -> None:
        self._spec, self._study, self._population, self._stopping_rule = spec, study, population, stopping_rule
        self._states: dict[str, _ConfigurationState] = {}
        self._finished_ids = set(finished_ids)
        self.ended_early: list[tuple[PlannedChain, ChainOutcome]] = []

    def add_configuration(self, chains: tuple[PlannedChain, ...]) -> None:
        """Follow a configuration, given its chains, whose events and ends will come."""
        self._states[configuration_id(chains[0].configuration)] = _ConfigurationState(chains, list(chains))

    def is_finished(self, configuration: Configuration) -> bool:
        """Whether the configuration needs no more training: it is complete, pruned or saturated."""
        return configuration_id(configuration) in self._finished_ids

    def on_chain_start(self, planned: PlannedChain) -> None:
        state = self._states[configuration_id(planned.configuration)]
        if state.trial_number is None and not self.is_finished(planned.configuration):
            state.trial_number = self._study.open_trial(planned.configuration)

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        state = self._states[configuration_id(planned.configuration)]
        self.on_chain_start(planned)
        state.remaining.remove(planned)
        state.outcomes.setdefault(outcome.status, []).append(f"seed {planned.seed}: {outcome.message}")
        if outcome.status in ("stopped", "saturated"):
            self.ended_early.append((planned, outcome))
        if not state.remaining and state.trial_number is not None:
            self._close_trial(state, state.trial_number)

    def add_from_population(self, chains: Sequence[PlannedChain], values: Sequence[float]) -> None:
        """Add a complete trial to the study for a configuration that other searches have trained."""
        number = self._study.open_trial(chains[0].configuration)
        self._tell(chains, number, TrialState.COMPLETE, {FROM_POPULATION: True}, values)

    def interrupt_open_trials(self) -> None:
        """Close the trials that are still open: the search ends before these configurations do."""
        for state in self._states.values():
            if state.remaining and state.trial_number is not None:
                self._study.interrupt_trial(state.trial_number)
                state.trial_number = None

    def _close_trial(self, state: _ConfigurationState, number: int) -> None:
        configuration = state.chains[0].configuration
        if reasons := state.outcomes.get("failed"):
            self._study.tell(number, configuration, TrialState.FAIL, user_attrs={"reason": "; ".join(reasons)})
        elif reasons := state.outcomes.get("stopped"):
            self._tell(state.chains, number, TrialState.PRUNED, {"reason": reasons[0]})
        elif state.outcomes.get("interrupted"):
            self._study.interrupt_trial(number)
        else:
            try:
                values = targets.target_values(self._spec, self._population, state.chains)
            except DamagedMember as error:
                self._study.tell(number, configuration, TrialState.FAIL, user_attrs={"reason": str(error)})
                return
            saturated = state.outcomes.get("saturated")
            self._tell(state.chains, number, TrialState.COMPLETE, {SATURATED: saturated} if saturated else {}, values)

    def _tell(
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
        errors = self._stopping_rule.rung_errors(chains[0])
        self._study.tell(number, configuration, state, values=values, user_attrs=user_attrs, rung_errors=errors)
        self._finished_ids.add(configuration_id(configuration))

    def _user_attrs(self, chains: Sequence[PlannedChain]) -> dict[str, object]:
        loaded = [targets.load_chain(self._population, planned) for planned in chains]
        last_members = [members[-1] for members in loaded if members]
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
        }
