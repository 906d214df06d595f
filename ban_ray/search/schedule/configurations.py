"""The study's trials as configurations begin and end: each told once, with the mean over its seeds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search.config.resolve import PlannedChain, SearchSpec
from ban_ray.search.schedule.early_stopping import EarlyStopping
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.study import targets
from ban_ray.search.study.sampler import ConfigurationSampler
from ban_ray.search.study.study import FROM_POPULATION, INTERRUPTED, SATURATED, SearchStudy
from ban_ray.specs import digest
from ban_ray.specs.parameters import Configuration


@dataclass
class _ConfigurationState:
    """A configuration: its chains, those that are left, and its trial once one has begun."""

    chains: tuple[PlannedChain, ...]
    remaining: list[PlannedChain]
    trial_number: int | None = None
    outcomes: dict[str, list[str]] = field(default_factory=dict)


class ConfigurationTracker:
    """Tells the study, and the sampler where there is one, how configurations end.

    Attributes:
        stopped: sentences about chains that ended before their last generation, by chain.
    """

    def __init__(
        self,
        request: SearchSpec,
        study: SearchStudy,
        population: Population,
        finished: Collection[str],
        *,
        early_stopping: EarlyStopping | None = None,
        sampler: ConfigurationSampler | None = None,
    ) -> None:
        """`settled` are the digests of configurations that need nothing more."""
        self._request, self._study, self._population = request, study, population
        self._early_stopping, self._sampler = early_stopping, sampler
        self._states: dict[str, _ConfigurationState] = {}
        self._finished = set(finished)
        self.stopped: list[tuple[PlannedChain, ChainOutcome]] = []

    def add(self, chains: Iterable[PlannedChain]) -> None:
        """Chains that will begin and end, all of a configuration's at once."""
        groups: dict[str, list[PlannedChain]] = {}
        for planned in chains:
            groups.setdefault(digest(dict(planned.configuration)), []).append(planned)
        for identity, group in groups.items():
            self._states[identity] = _ConfigurationState(tuple(group), list(group))

    def is_finished(self, configuration: Configuration) -> bool:
        """Whether the configuration needs nothing more."""
        return digest(dict(configuration)) in self._finished

    def on_chain_start(self, planned: PlannedChain) -> None:
        """A chain of a configuration starts: its study trial is running from now on."""
        state = self._states[digest(dict(planned.configuration))]
        if state.trial_number is None and not self.is_finished(planned.configuration):
            state.trial_number = self._study.start_trial(planned.configuration)

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        """A chain has ended; the last one of its configuration closes the study's trial."""
        state = self._states[digest(dict(planned.configuration))]
        self.on_chain_start(planned)
        state.remaining.remove(planned)
        state.outcomes.setdefault(outcome.status, []).append(f"seed {planned.seed}: {outcome.message}")
        if outcome.status in ("stopped", "saturated"):
            self.stopped.append((planned, outcome))
        if not state.remaining and state.trial_number is not None:
            self._close(state, state.trial_number)

    def add_from_population(self, chains: Sequence[PlannedChain], values: Sequence[float]) -> None:
        """A configuration that the population holds enters the study finished."""
        configuration = chains[0].configuration
        self._complete(
            configuration,
            self._study.start_trial(configuration),
            values,
            {FROM_POPULATION: True, **self._user_attrs(chains)},
        )

    def interrupt(self) -> None:
        """Close what is still open: the search ends before these configurations do."""
        for state in self._states.values():
            if state.remaining and state.trial_number is not None:
                self._study.fail(state.trial_number, INTERRUPTED)
                state.trial_number = None

    def _close(self, state: _ConfigurationState, number: int) -> None:
        configuration = state.chains[0].configuration
        if failures := state.outcomes.get("failed"):
            self._study.fail(number, "; ".join(failures))
            if self._sampler:
                self._sampler.tell_failed(configuration)
            return
        if stop_messages := state.outcomes.get("stopped"):
            reached = self._early_stopping.rung_errors(state.chains[0]) if self._early_stopping else {}
            self._study.prune(number, {"reason": stop_messages[0], **self._user_attrs(state.chains)}, reached)
            self._finished.add(digest(dict(configuration)))
            if self._sampler:
                self._sampler.tell_pruned(configuration, reached)
            return
        if state.outcomes.get("interrupted"):
            self._study.fail(number, INTERRUPTED)
            return
        try:
            chains = [targets.load_chain(self._population, planned) for planned in state.chains]
            values = targets.target_values(self._request, self._population, chains)
        except DamagedMember as error:
            self._study.fail(number, str(error))
            if self._sampler:
                self._sampler.tell_failed(configuration)
            return
        user_attrs = self._user_attrs(state.chains)
        if saturated := state.outcomes.get("saturated"):
            user_attrs[SATURATED] = saturated
        self._complete(configuration, number, values, user_attrs)

    def _complete(
        self, configuration: Configuration, number: int, values: Sequence[float], user_attrs: Mapping[str, object]
    ) -> None:
        chains = self._states[digest(dict(configuration))].chains
        reached = self._early_stopping.rung_errors(chains[0]) if self._early_stopping else {}
        self._study.complete(number, values, user_attrs, reached)
        self._finished.add(digest(dict(configuration)))
        if self._sampler:
            self._sampler.tell_complete(configuration, values)

    def _user_attrs(self, chains: Sequence[PlannedChain]) -> dict[str, object]:
        members = [targets.load_chain(self._population, planned) for planned in chains]
        lasts = [one.members[-1] for one in members if one.members]
        metric = self._request.metric
        held_out = [metric.value_of(member, "held_out") for member in lasts]
        paper = any(error is None for error in held_out)
        return {
            "value_is": f"test {metric.heading} (paper protocol, not for selection)"
            if paper
            else self._request.error_description,
            "seeds": [planned.seed for planned in chains],
            f"held_out_{metric.key}": held_out,
            "keys": [member.key for member in lasts],
        }
