"""Early stopping of chains, decided from their events; imports no Ray."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ban_ray.runtime.events import EpochEnded, Event, Published, Reused
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.rungs import Rung, is_saturated, num_promoted, should_prune
from ban_ray.specs.parameters import Configuration, configuration_id

EvaluationEvent = EpochEnded | Published
"""An event with the held-out error of a generation in training."""


class StoppingRule:
    """Decides which chains end before their last generation; this base class ends none that has started.

    Args:
        reason_not_to_start: of a chain that is about to start; empty if it is to be run. By default all are.
    """

    def __init__(self, reason_not_to_start: Callable[[PlannedChain], str] | None = None) -> None:
        self._reason_not_to_start = reason_not_to_start

    def before_start(self, planned: PlannedChain) -> ChainOutcome | None:
        """The outcome of a chain that is not to start, and none of its configuration after it."""
        reason = "" if self._reason_not_to_start is None else self._reason_not_to_start(planned)
        return ChainOutcome("pruned", reason) if reason else None

    def on_event(self, planned: PlannedChain, event: Event) -> ChainOutcome | None:
        """Record an event of a running chain.

        Returns:
            The outcome of the chain if it is to end.
        """
        return None

    def record_published(self, planned: PlannedChain) -> None:
        """Record the errors of a chain's published generations at their rungs; does not decide on the chain."""

    def restore_errors(self, chains: Sequence[PlannedChain], errors: Mapping[int, float]) -> None:
        """Record the errors at rungs of a configuration that an earlier execution pruned.

        Args:
            chains: all chains of the configuration.
            errors: errors by the step of the rungs, as returned by `rung_errors`.
        """

    def rung_errors(self, configuration: Configuration) -> dict[int, float]:
        """Errors of a configuration by the step of its rungs, means over its seeds."""
        return {}


@dataclass
class _RungResults:
    """A configuration at a rung: its targets other than the error, and the key and error of its generation, by seed."""

    size_targets: tuple[float, ...]
    keys: dict[int, str] = field(default_factory=dict)
    errors: dict[int, float] = field(default_factory=dict)

    @property
    def target_values(self) -> tuple[float, ...]:
        return (statistics.fmean(self.errors.values()), *self.size_targets)


class EarlyStopping(StoppingRule):
    """Asynchronous successive halving across generations, and patience within a chain.

    A configuration's error at a rung is the mean over its chains, one for each seed, that have reached the rung. When
    the configuration falls behind at a rung, all its chains end: a mean over the remaining seeds would be biased low.

    Args:
        patience: generations without a gain after which a chain is saturated.
        min_gain: points of held-out error that count as a gain.
        size_targets: returns the targets of a chain other than the error.
        rung_events: returns, for a chain and the number of a generation, the events at rungs that its training would
            have sent; none if the generation is not published.
    """

    def __init__(
        self,
        *,
        patience: int,
        min_gain: float,
        size_targets: Callable[[PlannedChain], tuple[float, ...]],
        rung_events: Callable[[PlannedChain, int], Sequence[EvaluationEvent]],
    ) -> None:
        super().__init__()
        self._patience, self._min_gain = patience, min_gain
        self._size_targets, self._rung_events = size_targets, rung_events
        self._rungs: dict[Rung, dict[str, _RungResults]] = {}
        self._errors: dict[tuple[str, int], dict[int, float]] = {}
        self._pruned: dict[str, ChainOutcome] = {}

    def on_event(self, planned: PlannedChain, event: Event) -> ChainOutcome | None:
        """Record an event of a running chain.

        A reused generation is recorded at its rungs from its history. Reused generations cost nothing, so the chain is
        judged only at the last of them, and not if that one was recorded in an earlier execution: the chain has passed
        this rung.
        """
        if outcome := self._pruned.get(configuration_id(planned.configuration)):
            return outcome
        if isinstance(event, Reused):
            was_recorded = self._is_recorded(planned, Rung(event.generation, "end"))
            rungs = [self._record(planned, other) for other in self._rung_events(planned, event.generation)]
            following = event.generation + 1
            is_last = following == len(planned.chain.generations) or not self._rung_events(planned, following)
            if was_recorded or not rungs or not is_last:
                return None
            return self._decide(planned, rungs[-1]) if rungs[-1] is not None else None
        rung = self._record(planned, event) if isinstance(event, EvaluationEvent) else None
        return self._decide(planned, rung) if rung is not None else None

    def record_published(self, planned: PlannedChain) -> None:
        for number in range(len(planned.chain.generations)):
            for event in self._rung_events(planned, number):
                self._record(planned, event)

    def restore_errors(self, chains: Sequence[PlannedChain], errors: Mapping[int, float]) -> None:
        for step, error in errors.items():
            rung = Rung.from_step(step)
            results = self._results(chains[0], rung)
            if not results.errors:
                results.keys = {planned.seed: planned.chain.keys[rung.generation] for planned in chains}
                results.errors = dict.fromkeys(results.keys, error)

    def rung_errors(self, configuration: Configuration) -> dict[int, float]:
        identifier = configuration_id(configuration)
        return {
            rung.step: results[identifier].target_values[0]
            for rung, results in sorted(self._rungs.items())
            if identifier in results
        }

    def _is_recorded(self, planned: PlannedChain, rung: Rung) -> bool:
        results = self._rungs.get(rung, {}).get(configuration_id(planned.configuration))
        return results is not None and planned.seed in results.errors

    def _record(self, planned: PlannedChain, event: EvaluationEvent) -> Rung | None:
        """Record the error of an event and return its rung; None if it has none."""
        error = planned.metric.from_record(event.metrics, "held_out")
        if error is None:
            return None
        if isinstance(event, Published):
            rung = Rung(event.generation, "end")
            chain = configuration_id(planned.configuration), planned.seed
            self._errors.setdefault(chain, {})[event.generation] = error
        elif event.is_at_drop_rung:
            rung = Rung(event.generation, "drop")
        else:
            return None
        results = self._results(planned, rung)
        results.keys[planned.seed], results.errors[planned.seed] = event.key, error
        return rung

    def _results(self, planned: PlannedChain, rung: Rung) -> _RungResults:
        at_rung, identifier = self._rungs.setdefault(rung, {}), configuration_id(planned.configuration)
        if identifier not in at_rung:
            at_rung[identifier] = _RungResults(self._size_targets(planned))
        return at_rung[identifier]

    def _decide(self, planned: PlannedChain, rung: Rung) -> ChainOutcome | None:
        identifier = configuration_id(planned.configuration)
        if rung == Rung(len(planned.chain.generations) - 1, "end"):
            return None
        results = self._rungs[rung]
        own = results[identifier]
        # Chains that share this generation, such as one teacher, do not differ here and are left out. Other chains that
        # do not differ among themselves, such as equal chains, count once.
        others = {
            (frozenset(other.keys.items()), other.size_targets): other.target_values
            for other in results.values()
            if set(own.keys.values()).isdisjoint(other.keys.values())
        }
        if should_prune(own.target_values, list(others.values()), rung.promoted_fraction):
            count = len(others) + 1
            num_kept = num_promoted(count, rung.promoted_fraction)
            best = f"among the best {num_kept}" if num_kept > 1 else "the best"
            where = rung.description(planned.chain.generations[rung.generation].recipe.schedule)
            self._pruned[identifier] = ChainOutcome("pruned", f"not {best} of {count} configurations {where}")
            return self._pruned[identifier]
        errors = self._errors.get((identifier, planned.seed), {})
        # Networks that nobody taught are no generations in a row: the average of several teaches the last.
        is_taught = rung.generation == 0 or bool(planned.chain.generations[rung.generation].teachers)
        by_generation = [errors[number] for number in sorted(errors)] if is_taught else []
        if rung.part == "end" and is_saturated(by_generation, self._patience, self._min_gain):
            gain = f" above {self._min_gain:g} points" if self._min_gain else ""
            return ChainOutcome(
                "saturated", f"no gain{gain} in the last {self._patience} generations up to {rung.generation}"
            )
        return None
