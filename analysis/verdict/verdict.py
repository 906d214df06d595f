"""The verdict on a search: the choice by held-out data, the claims on test data, what is open."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from analysis.data.chain_groups import ChainGroup, from_search
from analysis.data.chains import recorded
from analysis.data.study import Study
from analysis.statistics.crossed_interval import CrossedInterval
from analysis.statistics.holm import holm
from analysis.verdict.choice import Choice, interval_of
from analysis.verdict.generations import Generations, best_number
from analysis.verdict.power import Needed, needed
from analysis.verdict.selection import Added, added_by_distillation, cheapest_unbeaten
from analysis.verdict.study_choices import Choices, choices_of
from ban_ray.evaluation.metrics import Metric

LEVEL = 0.05


@dataclass(frozen=True)
class Deployment:
    """The verdict for one network, or for an ensemble.

    Attributes:
        choice: the cheapest that nothing at hand beats distinguishably on held-out data.
        error, held_out_error: its metric, mean over seeds.
        against_baseline: on test; None for the baseline itself.
        better: what is distinguishably better on test (Holm), the best first, with its interval against the choice.
        added: the one comparison of distilled and undistilled choices; None where either is missing.
        needed: what would settle it; None where it is settled, or one seed says nothing about others.
    """

    choice: Choice
    error: float
    held_out_error: float
    against_baseline: CrossedInterval | None
    better: tuple[tuple[Choice, CrossedInterval], ...]
    added: Added | None
    needed: Needed | None


@dataclass(frozen=True)
class Verdict:
    """What a search says.

    Attributes:
        metric: of all losses.
        network, ensemble: None where there is none, or no held-out data to choose by.
        generations: of the chain of the distilled choice.
        missing: controls that the search has not.
        command: repeats the search with more seeds when they are appended; empty where it is not known.
        seeds: that the baseline has.
    """

    metric: Metric
    network: Deployment | None
    ensemble: Deployment | None
    generations: Generations | None
    missing: tuple[str, ...]
    command: str
    seeds: tuple[int, ...]


@lru_cache(maxsize=1)
def verdict_of_search(study: Study, name: str) -> Verdict | None:
    """The verdict on a search, by its name; None where it has no chain, or no control that tunes or averages.

    Raises:
        UserError: there is no such search, or its record cannot be read.
    """
    groups = from_search(recorded(study.records, study.search(name).chains))
    found = verdict_of_groups(study, groups)
    if found is None or "://" in study.storage.url:
        return found
    return replace(found, command=f"python -m ban_ray.search --config {study.storage.url}/searches/{name}/search.toml")


def verdict_of_groups(study: Study, groups: Sequence[ChainGroup]) -> Verdict | None:
    """The verdict on groups of chains, without a command."""
    choices = choices_of(study, groups)
    return None if choices is None else decide(choices)


def decide(choices: Choices) -> Verdict:
    """The verdict on what a search has to choose from."""
    scale = choices.metric.scale
    network = _deployment(choices.networks, choices) if choices.held_out else None
    ensemble = _deployment(choices.ensembles, choices) if choices.held_out and choices.ensembles else None
    chain = next(iter(choices.chains), None)
    if network and network.added:
        chosen = network.added.distilled
        chain = next((name for name, made in choices.chains.items() if chosen in made), chain)
    generations = best_number(choices.chains[chain], chain, scale) if chain is not None else None
    return Verdict(
        choices.metric, network, ensemble, generations, choices.missing, command="", seeds=choices.baseline.seeds
    )


def _deployment(among: Sequence[Choice], choices: Choices) -> Deployment | None:
    metric, baseline = choices.metric, choices.baseline
    candidates = [choice for choice in among if not choice.is_biased]
    choice = cheapest_unbeaten(candidates, baseline)
    if choice is None:
        return None
    added = added_by_distillation(candidates, baseline, metric.scale)
    is_open = added is not None and not added.interval.distinguishable and len(added.first) > 1
    return Deployment(
        choice=choice,
        error=_mean([metric.mean(losses) for losses in choice.test.values()]),
        held_out_error=_mean([metric.mean(losses) for losses in choice.held_out.values()]),
        against_baseline=None if choice is baseline else interval_of(choice, baseline, "test", metric.scale),
        better=_better(choice, among, metric.scale),
        added=added,
        needed=needed(added.first, added.second) if added is not None and is_open else None,
    )


def _better(choice: Choice, among: Sequence[Choice], scale: float) -> tuple[tuple[Choice, CrossedInterval], ...]:
    pairs = [(other, interval_of(other, choice, "test", scale)) for other in among if other is not choice]
    compared = [(other, interval) for other, interval in pairs if interval is not None]
    adjusted = holm([interval.p_value for _, interval in compared])
    better = [pair for pair, p in zip(compared, adjusted, strict=True) if p < LEVEL and pair[1].high < 0]
    return tuple(sorted(better, key=lambda pair: pair[1].estimate))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
