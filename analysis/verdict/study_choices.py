"""The choices of a search: its networks and ensembles, read from their stored predictions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.data.chain_groups import ChainGroup
from analysis.data.spec_text import differences
from analysis.data.study import Study
from analysis.statistics.scored_predictions import Losses
from analysis.verdict import kinds
from analysis.verdict.choice import Choice, Role
from ban_ray.evaluation.ensembles import combine
from ban_ray.evaluation.metrics import Metric
from ban_ray.evaluation.predictions import Labels
from ban_ray.population import Predictions
from ban_ray.population.imported import ImportedGeneration
from ban_ray.specs import Generation

MOST_READ = 60
"""Members whose predictions are kept while ensembles are made of them."""


@dataclass(frozen=True)
class Choices:
    """What a search has to choose from.

    Attributes:
        baseline: the network on labels alone.
        networks: single networks, the baseline first. ensembles: of generations and of independent networks.
        chains: the generations of each distilled group, the baseline first, in order.
        missing: kinds of controls that it has not.
        held_out: whether there are held-out predictions to choose by.
    """

    metric: Metric
    baseline: Choice
    networks: tuple[Choice, ...]
    ensembles: tuple[Choice, ...]
    chains: Mapping[str, tuple[Choice, ...]]
    missing: tuple[str, ...]
    held_out: bool


def choices_of(study: Study, groups: Sequence[ChainGroup]) -> Choices | None:
    """The choices of a search's groups.

    None where there is nothing to decide: no chain of one network that starts from labels, or no control that tunes
    the recipe, stops early or averages. Of several tasks or networks, the ones of the first such chain count.
    """
    chain = next((group for group in groups if _is_chain(group)), None)
    if chain is None or chain.baseline is None:
        return None
    first = chain.baseline
    alike = [group for group in groups if group.task == chain.task and group.final.network == first.network]
    untaught = kinds.by_kind(alike, first)
    if not untaught.keys() & {kinds.RECIPE, kinds.EARLY_STOPPING, kinds.EMA, kinds.SWA}:
        return None
    chains = [group for group in alike if _is_chain(group) and kinds.kind_of(_first(group), first) == kinds.INDEPENDENT]
    reader = _Reader(study, chain.metric, first)
    alone = _networks_by_seed(chains, untaught.get(kinds.INDEPENDENT, []))
    baseline = reader.choice("baseline", 1.0, "undistilled", {seed: keys[:1] for seed, keys in alone.items()})
    networks = [baseline, *_undistilled(untaught, first, reader)]
    by_chain: dict[str, tuple[Choice, ...]] = {}
    ensembles = _independent(alone, reader)
    for group in chains:
        taught = all(group.representatives[n].generation.teachers for n in sorted(group.representatives)[1:])
        made = list(_generations(group, reader, "distilled" if taught else "bound", only_last=not taught))
        networks += made
        if taught:
            by_chain[_row(group)] = (baseline, *made)
            ensembles += _of_generations(group, reader)
    has_ensembles = any(choice.role == "undistilled" for choice in ensembles)
    controls = [kind for kind in untaught if kind != kinds.INDEPENDENT or has_ensembles]
    return Choices(
        metric=chain.metric,
        baseline=baseline,
        networks=tuple(choice for choice in networks if choice.test),
        ensembles=tuple(choice for choice in ensembles if choice.test),
        chains={name: made for name, made in by_chain.items() if all(choice.test for choice in made)},
        missing=tuple(kinds.missing(controls, held_out=bool(baseline.held_out))),
        held_out=bool(baseline.held_out),
    )


class _Reader:
    """Reads members' predictions, and their costs in trainings of the baseline."""

    def __init__(self, study: Study, metric: Metric, baseline: Generation) -> None:
        self._study, self._metric = study, metric
        self._epochs = baseline.recipe.trained_epochs
        self._losses: dict[tuple[str, ...], tuple[Losses | None, Losses] | None] = {}
        self._stored: dict[str, Predictions | None] = {}
        self._labels: tuple[Labels, Labels] | None = None

    def cost(self, *generations: Generation) -> float:
        return sum(generation.recipe.trained_epochs for generation in generations) / self._epochs

    def choice(self, name: str, cost: float, role: Role, keys: Mapping[int, tuple[str, ...]]) -> Choice:
        """The choice of the average of some members by seed; seeds of which one cannot be read are left out."""
        read = {seed: losses for seed, members in keys.items() if (losses := self._read(members))}
        return Choice(
            name=name,
            cost=cost,
            role=role,
            held_out={seed: held_out for seed, (held_out, _) in read.items() if held_out is not None},
            test={seed: test for seed, (_, test) in read.items()},
        )

    def _read(self, keys: tuple[str, ...]) -> tuple[Losses | None, Losses] | None:
        if keys not in self._losses:
            stored = [self._predictions(key) for key in keys]
            whole = [predictions for predictions in stored if predictions is not None]
            self._losses[keys] = self._of(whole) if whole and len(whole) == len(keys) else None
        return self._losses[keys]

    def _of(self, members: Sequence[Predictions]) -> tuple[Losses | None, Losses]:
        first, losses = members[0], self._metric.losses
        held_out = combine([member.held_out for member in members]) if len(first.held_out_labels) else None
        return (
            None if held_out is None else losses(held_out, first.held_out_labels),
            losses(combine([member.test for member in members]), first.test_labels),
        )

    def _predictions(self, key: str) -> Predictions | None:
        if key not in self._stored:
            while len(self._stored) >= MOST_READ:
                del self._stored[next(iter(self._stored))]
            stored = self._study.read_predictions(key) if key in self._study.records else None
            if stored is not None and self._labels is None:
                self._labels = stored.held_out_labels, stored.test_labels
            if stored is not None and not self._has_same_labels(stored):
                self._study.damaged[key] = f"member {key}: its labels differ from those it is compared with"
                stored = None
            self._stored[key] = stored
        return self._stored[key]

    def _has_same_labels(self, stored: Predictions) -> bool:
        own = stored.held_out_labels, stored.test_labels
        return self._labels is not None and all(map(np.array_equal, own, self._labels))


def _is_chain(group: ChainGroup) -> bool:
    first = group.baseline
    usable = first is not None and not first.teachers and not isinstance(first, ImportedGeneration)
    return usable and group.born_again and group.has_own_baseline


def _first(group: ChainGroup) -> Generation:
    return group.representatives[0].generation


def _row(group: ChainGroup) -> str:
    return group.chains[0].row or str(group.objective)


def _keys(group: ChainGroup, *numbers: int) -> dict[int, tuple[str, ...]]:
    """The keys of a group's generations of these numbers, by the chain's seed."""
    chains = group.with_generations(*numbers)
    return {chain.seed: tuple(chain.keys[n] for n in numbers) for chain in chains if chain.seed is not None}


def _undistilled(
    untaught: Mapping[str, Sequence[ChainGroup]], baseline: Generation, reader: _Reader
) -> Iterator[Choice]:
    """Each network that learns without a teacher, but for the baseline and others of its spec."""
    for kind, groups in untaught.items():
        for group in groups if kind != kinds.INDEPENDENT else ():
            tries = [reader.cost(other.final) for other in groups] if kind in kinds.TUNED else []
            cost = 1 + sum(tries) if tries else reader.cost(group.final)
            name = f"{_row(group)} (of {len(tries) + 1} tries)" if tries else _row(group)
            made = reader.choice(name, cost, "undistilled", _keys(group, 0))
            if kind == kinds.RECIPE:
                changed = {field: getattr(group.final.recipe, field) for field in differences(baseline, group.final)}
                made = replace(made, recipe=changed)
            yield replace(made, is_biased=_is_stopped_early(group.final, baseline))


def _is_stopped_early(generation: Generation, baseline: Generation) -> bool:
    """Whether held-out samples chose its epoch, and not the baseline's too."""
    return generation.recipe.averaging == "best" != baseline.recipe.averaging


def _generations(group: ChainGroup, reader: _Reader, role: Role, *, only_last: bool) -> Iterator[Choice]:
    numbers = sorted(group.representatives)
    specs = [group.representatives[number].generation for number in numbers]
    for number in numbers[-1:] if only_last else numbers[1:]:
        name = _row(group) if only_last else f"{group.column(number)} by {_row(group)}"
        made = reader.choice(name, reader.cost(*specs[: number + 1]), role, _keys(group, number))
        yield replace(made, is_biased=_is_stopped_early(specs[number], specs[0]))


def _networks_by_seed(chains: Sequence[ChainGroup], alone: Sequence[ChainGroup]) -> dict[int, tuple[str, ...]]:
    """The keys of the networks of the baseline's spec by the seed of their chain, that of the chains first."""
    by_seed: dict[int, dict[str, None]] = {}
    for group in (*chains, *alone):
        for seed, keys in _keys(group, 0).items():
            by_seed.setdefault(seed, {}).update(dict.fromkeys(keys))
    return {seed: tuple(keys) for seed, keys in by_seed.items()}


def _independent(alone: Mapping[int, tuple[str, ...]], reader: _Reader) -> list[Choice]:
    """Ensembles of 2, 3, ... networks of the baseline's spec."""
    most = max(map(len, alone.values()), default=0)
    return [
        reader.choice(
            f"{size} independent networks",
            float(size),
            "undistilled",
            {seed: keys[:size] for seed, keys in alone.items() if len(keys) >= size},
        )
        for size in range(2, most + 1)
    ]


def _of_generations(group: ChainGroup, reader: _Reader) -> list[Choice]:
    """Ens*k of the papers, which leaves the baseline out, and the same with it."""
    numbers = sorted(group.representatives)
    specs = [group.representatives[number].generation for number in numbers]
    made = []
    for last in numbers[1:]:
        cost = reader.cost(*specs[: last + 1])
        for first in (0, 1):
            if last > first:
                name = f"{group.column(first)} to {group.column(last)} by {_row(group)}"
                made.append(reader.choice(name, cost, "distilled", _keys(group, *range(first, last + 1))))
    return made
