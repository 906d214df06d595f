"""Which chains are left, and the study's trials as configurations end."""

import statistics
from collections.abc import Sequence

from optuna import Trial

from ban_ray.metrics import metric_of
from ban_ray.population import Population
from ban_ray.search.request import Planned
from ban_ray.search.study import Study
from ban_ray.specs import digest


class Ledger:
    """Tells the study of a configuration once all its seeds' chains have ended."""

    def __init__(self, study: Study, population: Population, chains: Sequence[Planned]) -> None:
        self._study = study
        self._population = population
        self._open: dict[str, list[Planned]] = {}
        self._trials: dict[str, Trial] = {}
        self._failures: dict[str, list[str]] = {}
        for planned in chains:
            self._open.setdefault(digest(dict(planned.configuration)), []).append(planned)
        self._all = {identity: list(group) for identity, group in self._open.items()}

    def begin(self, planned: Planned) -> None:
        """A chain of a configuration starts: its study trial is running from now on."""
        identity = digest(dict(planned.configuration))
        if identity not in self._trials and not self._study.told(planned.configuration):
            self._trials[identity] = self._study.ask(planned.configuration)

    def end(self, planned: Planned, failure: str = "") -> None:
        """A chain has ended; the last one of its configuration closes the study's trial."""
        identity = digest(dict(planned.configuration))
        self.begin(planned)
        self._open[identity].remove(planned)
        if failure:
            self._failures.setdefault(identity, []).append(f"seed {planned.seed}: {failure}")
        if self._open[identity] or identity not in self._trials:
            return
        trial = self._trials[identity]
        if identity in self._failures:
            self._study.fail(trial, "; ".join(self._failures[identity]))
            return
        members = [self._population[other.chain.keys[-1]] for other in self._all[identity]]
        metric = metric_of(members[0].generation.task)
        held_out = [metric.of(member, "held_out") for member in members]
        test = [value for member in members if (value := metric.of(member)) is not None]
        kept = [error for error in held_out if error is not None]
        # Without held-out data nothing may be selected: the study then only lists what a grid found.
        value = statistics.fmean(kept) if kept else statistics.fmean(test)
        self._study.tell(
            trial,
            value,
            {
                "value_is": f"held-out {metric.heading}"
                if kept
                else f"test {metric.heading} (paper protocol, not for selection)",
                "seeds": [other.seed for other in self._all[identity]],
                f"held_out_{metric.key}": held_out,
                "keys": [other.chain.keys[-1] for other in self._all[identity]],
            },
        )
