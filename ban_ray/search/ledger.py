"""The study's trials as configurations begin and end: each told once, with the mean over its seeds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ban_ray.errors import DamagedMember
from ban_ray.population import Population
from ban_ray.search import targets
from ban_ray.search.endings import Ending
from ban_ray.search.judge import Judge
from ban_ray.search.proposer import Proposer
from ban_ray.search.request import Planned, Request
from ban_ray.search.study import FOUND, INTERRUPTED, SATURATED, Study
from ban_ray.specs import digest
from ban_ray.specs.parameters import Configuration


@dataclass
class _Account:
    """A configuration: its chains, those that are left, and its trial once one has begun."""

    chains: tuple[Planned, ...]
    left: list[Planned]
    number: int | None = None
    endings: dict[str, list[str]] = field(default_factory=dict)


class Ledger:
    """Tells the study, and the sampler where there is one, how configurations end.

    Attributes:
        stopped: sentences about chains that ended before their last generation, by chain.
    """

    def __init__(
        self,
        request: Request,
        study: Study,
        population: Population,
        settled: Collection[str],
        *,
        judge: Judge | None = None,
        proposer: Proposer | None = None,
    ) -> None:
        """`settled` are the digests of configurations that need nothing more."""
        self._request, self._study, self._population = request, study, population
        self._judge, self._proposer = judge, proposer
        self._accounts: dict[str, _Account] = {}
        self._finished = set(settled)
        self.stopped: list[tuple[Planned, Ending]] = []

    def add(self, chains: Iterable[Planned]) -> None:
        """Chains that will begin and end, all of a configuration's at once."""
        groups: dict[str, list[Planned]] = {}
        for planned in chains:
            groups.setdefault(digest(dict(planned.configuration)), []).append(planned)
        for identity, group in groups.items():
            self._accounts[identity] = _Account(tuple(group), list(group))

    def told(self, configuration: Configuration) -> bool:
        """Whether the configuration needs nothing more."""
        return digest(dict(configuration)) in self._finished

    def begin(self, planned: Planned) -> None:
        """A chain of a configuration starts: its study trial is running from now on."""
        account = self._accounts[digest(dict(planned.configuration))]
        if account.number is None and not self.told(planned.configuration):
            account.number = self._study.begin(planned.configuration)

    def end(self, planned: Planned, ending: Ending) -> None:
        """A chain has ended; the last one of its configuration closes the study's trial."""
        account = self._accounts[digest(dict(planned.configuration))]
        self.begin(planned)
        account.left.remove(planned)
        account.endings.setdefault(ending.kind, []).append(f"seed {planned.seed}: {ending.sentence}")
        if ending.kind in ("stopped", "saturated"):
            self.stopped.append((planned, ending))
        if not account.left and account.number is not None:
            self._close(account, account.number)

    def found(self, chains: Sequence[Planned], values: Sequence[float]) -> None:
        """A configuration that the population holds enters the study finished."""
        configuration = chains[0].configuration
        self._complete(configuration, self._study.begin(configuration), values, {FOUND: True, **self._notes(chains)})

    def interrupt(self) -> None:
        """Close what is still open: the search ends before these configurations do."""
        for account in self._accounts.values():
            if account.left and account.number is not None:
                self._study.fail(account.number, INTERRUPTED)
                account.number = None

    def _close(self, account: _Account, number: int) -> None:
        configuration = account.chains[0].configuration
        if failures := account.endings.get("failed"):
            self._study.fail(number, "; ".join(failures))
            if self._proposer:
                self._proposer.failed(configuration)
            return
        if stops := account.endings.get("stopped"):
            reached = self._judge.intermediate(account.chains[0]) if self._judge else {}
            self._study.prune(number, {"reason": stops[0], **self._notes(account.chains)}, reached)
            self._finished.add(digest(dict(configuration)))
            if self._proposer:
                self._proposer.stopped(configuration, reached)
            return
        if account.endings.get("interrupted"):
            self._study.fail(number, INTERRUPTED)
            return
        try:
            found = [targets.find(self._population, planned) for planned in account.chains]
            values = targets.values(self._request, self._population, found)
        except DamagedMember as error:
            self._study.fail(number, str(error))
            if self._proposer:
                self._proposer.failed(configuration)
            return
        notes = self._notes(account.chains)
        if saturated := account.endings.get("saturated"):
            notes[SATURATED] = saturated
        self._complete(configuration, number, values, notes)

    def _complete(
        self, configuration: Configuration, number: int, values: Sequence[float], notes: Mapping[str, object]
    ) -> None:
        chains = self._accounts[digest(dict(configuration))].chains
        reached = self._judge.intermediate(chains[0]) if self._judge else {}
        self._study.complete(number, values, notes, reached)
        self._finished.add(digest(dict(configuration)))
        if self._proposer:
            self._proposer.finished(configuration, values)

    def _notes(self, chains: Sequence[Planned]) -> dict[str, object]:
        found = [targets.find(self._population, planned) for planned in chains]
        lasts = [one.members[-1] for one in found if one.members]
        metric = self._request.metric
        held_out = [metric.of(member, "held_out") for member in lasts]
        paper = any(error is None for error in held_out)
        return {
            "value_is": f"test {metric.heading} (paper protocol, not for selection)"
            if paper
            else self._request.minimised_title,
            "seeds": [planned.seed for planned in chains],
            f"held_out_{metric.key}": held_out,
            "keys": [member.key for member in lasts],
        }
