"""Searches on simulated learning curves, without Ray: each step is taken by the test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from ban_ray.population import Population
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.outcome import DONE
from ban_ray.search.schedule.state import SearchState
from ban_ray.specs.parameters import configuration_id
from tests.benchmarks import simulator

SPACE = str(Path(simulator.__file__).with_name("simulated_space.py"))


def simulated_search(**options: Any) -> SearchSpec:
    """A sampled search of six chains of two generations that stops nothing."""
    return resolve(SearchOptions(space=SPACE, **{"generations": 1, "samples": 6, "stopping": False, **options}))


def open_state(population: Population, spec: SearchSpec, name: str = "one") -> SearchState:
    return SearchState.open(spec, population, Path(population.storage.url) / "searches" / name, name)


def train(population: Population, planned: PlannedChain, until: int | None = None) -> None:
    """Publish the generations of a chain that are missing, up to the one of number `until`."""
    for number, generation in enumerate(planned.chain.generations[:until]):
        if generation.key not in population:
            simulator.Simulator(noise=0.1).train(population, generation, number)


def train_proposals(population: Population, state: SearchState, count: int | None = None) -> list[PlannedChain]:
    """Train the chains of as many proposals, of all by default; returns the chains."""
    chains = []
    while (count is None or count > 0) and (proposed := state.configurations.next_incomplete_chains()):
        for planned in proposed:
            state.configurations.on_chain_start(planned)
            train(population, planned)
            state.configurations.on_chain_end(planned, DONE)
            chains.append(planned)
        count = None if count is None else count - 1
    return chains


def study_trials(population: Population, name: str = "one", position: int = 0) -> Sequence[FrozenTrial]:
    """The trials of a search's study, by its position among the studies of the file, as `optuna-dashboard` does."""
    file = Path(population.storage.url) / "searches" / name / "study.journal"
    storage = JournalStorage(JournalFileBackend(str(file)))
    study = sorted(optuna.get_all_study_names(storage))[position]
    return optuna.load_study(study_name=study, storage=storage).trials


def ids(chains: Sequence[PlannedChain]) -> set[str]:
    """The ids of the configurations of chains."""
    return {configuration_id(planned.configuration) for planned in chains}
