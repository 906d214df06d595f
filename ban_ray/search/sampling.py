"""The configurations of a sampled search: found, begun earlier, and proposed."""

import itertools
from collections.abc import Iterator, Mapping

from optuna.trial import FrozenTrial, TrialState

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search import record, targets
from ban_ray.search.endings import DONE
from ban_ray.search.fitting import require_fitting
from ban_ray.search.judge import Judge
from ban_ray.search.ledger import Ledger
from ban_ray.search.proposer import Proposer
from ban_ray.search.request import Planned, Request, refused
from ban_ray.search.study import FOUND, Study, reached
from ban_ray.specs import digest
from ban_ray.specs.parameters import Configuration, continuous, points

ENUMERATED_AT_MOST = 1000
"""Configurations of a space that are all looked up in the population; of a larger one those of its searches are."""


class Sampling:
    """Hands out the chains of one configuration after another until the search has its samples.

    Attributes:
        chains: of every configuration of the search, those found in the population included.
        left_out: sentences about what was passed over.
    """

    def __init__(
        self,
        request: Request,
        population: Population,
        name: str,
        study: Study,
        settled: Mapping[str, FrozenTrial],
        ledger: Ledger,
        proposer: Proposer,
        judge: Judge | None,
    ) -> None:
        self._request, self._population, self._name = request, population, name
        self._ledger, self._proposer, self._judge = ledger, proposer, judge
        self._count = 0
        self._exhausted = False
        self.chains: list[Planned] = []
        self._restore(settled)
        found = self._find()
        # Those that were interrupted come before those that are new.
        first = [*study.begun(settled), *study.earlier()]
        self._first = [c for c in _distinct(first) if not ledger.told(c) and self._usable(c)]
        self.found = len(found)

    @property
    def left_out(self) -> list[str]:
        said = [f"{count} proposals were passed over: {reason}" for reason, count in self._proposer.refused.items()]
        if self._exhausted:
            said.append(f"the space has no further configuration: {self._count} of {self._samples} samples were made")
        return said

    @property
    def _samples(self) -> int:
        return self._request.policy.samples or 0

    @property
    def left(self) -> int:
        """Configurations that are still to be made."""
        return max(0, self._samples - self._count)

    def propose(self) -> list[Planned] | None:
        """The chains to train of the next configuration; None when the search has its samples."""
        while self._count < self._samples:
            if self._first:
                configuration = self._first.pop(0)
                self._proposer.started(configuration)
            else:
                asked = self._proposer.ask(self._count)
                if asked is None:
                    self._exhausted = True
                    return None
                configuration = asked
            self._count += 1
            chains = self._add(configuration)
            for planned in chains:
                record.write_chain(self._population.storage, planned, self._name)
            whole = [planned for planned in chains if targets.whole(self._population, planned)]
            for planned in whole:
                if self._judge:
                    self._judge.told_of(planned)
                self._ledger.end(planned, DONE)
            if len(whole) < len(chains):
                return [planned for planned in chains if planned not in whole]
        return None

    def _add(self, configuration: Configuration) -> tuple[Planned, ...]:
        chains = self._request.planned(configuration)
        self._ledger.add(chains)
        self.chains.extend(chains)
        return chains

    def _restore(self, settled: Mapping[str, FrozenTrial]) -> None:
        """What the study holds from an earlier start."""
        for trial in settled.values():
            self._add(trial.params)
            # Optuna gives a pruned trial its last intermediate value.
            if trial.state == TrialState.COMPLETE and trial.values is not None:
                self._proposer.finished(trial.params, trial.values)
            else:
                self._proposer.stopped(trial.params, reached(trial))
            self._count += FOUND not in trial.user_attrs

    def _find(self) -> list[Configuration]:
        """Configurations whose chains are members already enter the study finished.

        Raises:
            UserError: a member's network is built by code of the user's, and is another today.
        """
        found, data = [], self._request.decoded
        there = set(self._population.keys())
        for configuration in self._candidates():
            if not self._usable(configuration):
                continue
            chains = self._request.planned(configuration)
            held = [link for planned in chains for link in planned.chain.generations if link.key in there]
            require_fitting(held, self._population, num_classes=data.num_classes, in_channels=data.in_channels)
            if self._ledger.told(configuration) or not all(there.issuperset(planned.chain.keys) for planned in chains):
                continue
            try:
                members = [targets.find(self._population, planned) for planned in chains]
                values = targets.values(self._request, self._population, members)
            except DamagedMember:
                # `verify` tells of it; here it is as if it were not there.
                continue
            self._add(configuration)
            if self._judge:
                for planned in chains:
                    self._judge.told_of(planned)
            self._ledger.found(chains, values)
            found.append(configuration)
        return found

    def _candidates(self) -> Iterator[Configuration]:
        """Configurations of this space that may have been trained: all of a small one, else those of searches."""
        parameters = self._request.scale.parameters
        if not continuous(parameters):
            every = list(itertools.islice(points(parameters), ENUMERATED_AT_MOST + 1))
            if len(every) <= ENUMERATED_AT_MOST:
                yield from every
                return
        yield from record.configurations(self._population.storage, parameters)

    def _usable(self, configuration: Configuration) -> bool:
        return not refused(self._request, configuration)


def _distinct(configurations: list[Configuration]) -> list[Configuration]:
    return list({digest(dict(one)): one for one in configurations}.values())
