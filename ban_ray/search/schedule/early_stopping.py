"""Decides from chains' reports which of them end early; knows no Ray."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ban_ray.search.config.resolve import PlannedChain
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.rungs import Rung, is_saturated, num_promoted, should_prune
from ban_ray.specs import Generation, digest


@dataclass
class _RungResults:
    """A configuration at a rung: the key of the generation and its error, by seed."""

    keys: dict[int, str] = field(default_factory=dict)
    errors: dict[int, float] = field(default_factory=dict)

    @property
    def error(self) -> float:
        return statistics.fmean(self.errors.values())


class EarlyStopping:
    """Compares configurations at rungs and looks for saturation; `Ending`s are its verdicts.

    A configuration's error at a rung is the mean over its seeds that are there. The first of its chains that falls
    behind ends all of them, since a mean over the others would flatter it.
    """

    def __init__(
        self,
        *,
        patience: int,
        min_gain: float,
        sizes: Callable[[PlannedChain], tuple[float, ...]],
        history: Callable[[Generation], Sequence[Mapping[str, Any]]],
    ) -> None:
        """`sizes` are the targets after the error; `history` gives reports of a member's epochs and publication."""
        self._patience, self._min_gain = patience, min_gain
        self._sizes, self._history = sizes, history
        self._rungs: dict[Rung, dict[str, _RungResults]] = {}
        self._size: dict[str, tuple[float, ...]] = {}
        self._errors: dict[tuple[str, int], dict[int, float]] = {}
        self._stopped: dict[str, ChainOutcome] = {}

    def on_report(self, planned: PlannedChain, record: Mapping[str, Any]) -> ChainOutcome | None:
        """Take a report in; a verdict where the chain ends by it.

        Args:
            record: of an epoch, of a publication, or ``{"generation": ..., "key": ..., "taken": True}`` of a
                generation that is a member already: its history is replayed at the rungs. Only the last that is there
                is judged, since what is trained costs no more, and only where it did not stand there before: a chain
                that goes on has passed its rungs.
        """
        identity = digest(dict(planned.configuration))
        if outcome := self._stopped.get(identity):
            return outcome
        if record.get("taken"):
            number = int(record["generation"])
            was_recorded = self._is_recorded(planned, Rung(number, "end"))
            rungs = [self._record(planned, told) for told in self._member_reports(planned, number)]
            if was_recorded or not rungs or self._member_reports(planned, number + 1):
                return None
            return self._decide(planned, rungs[-1]) if rungs[-1] is not None else None
        rung = self._record(planned, record)
        return self._decide(planned, rung) if rung is not None else None

    def add_completed(self, planned: PlannedChain) -> None:
        """A chain of an earlier start or search: what it published stands at the rungs, and is not judged."""
        for number in range(len(planned.chain.generations)):
            for record in self._member_reports(planned, number):
                self._record(planned, record)

    def restore(self, chains: Sequence[PlannedChain], errors: Mapping[int, float]) -> None:
        """A configuration that was stopped at an earlier start stands where it stood, its last rung included.

        Args:
            chains: all of the configuration's.
            reached: errors by the step of the rungs, as `intermediate` gave them.
        """
        identity = digest(dict(chains[0].configuration))
        for step, error in errors.items():
            rung = Rung.from_step(step)
            entry = self._rungs.setdefault(rung, {}).setdefault(identity, _RungResults())
            if not entry.errors:
                entry.keys = {planned.seed: planned.chain.keys[rung.generation] for planned in chains}
                entry.errors = dict.fromkeys(entry.keys, error)
        self._size.setdefault(identity, self._sizes(chains[0]))

    def rung_errors(self, planned: PlannedChain) -> dict[int, float]:
        """Errors of a configuration by the step of its rungs, means over its seeds."""
        identity = digest(dict(planned.configuration))
        return {
            rung.step: entries[identity].error for rung, entries in sorted(self._rungs.items()) if identity in entries
        }

    def _is_recorded(self, planned: PlannedChain, rung: Rung) -> bool:
        entry = self._rungs.get(rung, {}).get(digest(dict(planned.configuration)))
        return entry is not None and planned.seed in entry.errors

    def _member_reports(self, planned: PlannedChain, number: int) -> list[dict[str, Any]]:
        if number == len(planned.chain.generations):
            return []
        generation = planned.chain.generations[number]
        return [{**record, "generation": number, "key": generation.key} for record in self._history(generation)]

    def _record(self, planned: PlannedChain, record: Mapping[str, Any]) -> Rung | None:
        """The rung that a report is of, with its error entered; None where it is of none."""
        error, identity = planned.metric.from_record(record, "held_out"), digest(dict(planned.configuration))
        if "generation" not in record or error is None:
            return None
        number = int(record["generation"])
        if record.get("published"):
            rung = Rung(number, "end")
            self._errors.setdefault((identity, planned.seed), {})[number] = error
        elif "rung" in record and record["rung"] == record.get("epoch"):
            rung = Rung(number, "drop")
        else:
            return None
        entry = self._rungs.setdefault(rung, {}).setdefault(identity, _RungResults())
        entry.keys[planned.seed], entry.errors[planned.seed] = str(record["key"]), error
        if identity not in self._size:
            self._size[identity] = self._sizes(planned)
        return rung

    def _decide(self, planned: PlannedChain, rung: Rung) -> ChainOutcome | None:
        identity = digest(dict(planned.configuration))
        if rung == Rung(len(planned.chain.generations) - 1, "end"):
            return None
        entries = self._rungs[rung]
        own, keys = entries[identity], set(entries[identity].keys.values())
        # Chains that share this very generation, such as one teacher, do not differ here; nor do others among
        # themselves, such as equal chains, which stand here once.
        others = {
            (frozenset(entry.keys.items()), self._size[other]): entry.error
            for other, entry in entries.items()
            if keys.isdisjoint(entry.keys.values())
        }
        points = [(error, *sizes) for (_, sizes), error in others.items()]
        if should_prune((own.error, *self._size[identity]), points, rung.fraction):
            count = len(points) + 1
            num_kept = num_promoted(count, rung.fraction)
            best = f"among the best {num_kept}" if num_kept > 1 else "the best"
            outcome = ChainOutcome("stopped", f"not {best} of {count} configurations {rung}")
            self._stopped[identity] = outcome
            return outcome
        errors = self._errors.get((identity, planned.seed), {})
        errors_so_far = [errors[number] for number in sorted(errors)]
        if rung.part == "end" and is_saturated(errors_so_far, self._patience, self._min_gain):
            gain = f" above {self._min_gain:g} points" if self._min_gain else ""
            return ChainOutcome(
                "saturated", f"no gain{gain} in the last {self._patience} generations up to {rung.generation}"
            )
        return None
