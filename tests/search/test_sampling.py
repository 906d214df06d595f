"""A sampled search's configurations over several starts, without Ray: what is found, goes on, and is told once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from ban_ray.networks.cost import multiply_accumulates
from ban_ray.population import Population, open_storage
from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.outcome import DONE, ChainOutcome
from ban_ray.search.schedule.state import SearchState, open_search_state
from ban_ray.search.study import best as front
from ban_ray.specs import digest
from tests.benchmarks import simulator
from tests.search.conftest import write_space

SPACE = str(Path(simulator.__file__).with_name("simulated_space.py"))


@pytest.fixture
def population(tmp_path: Path) -> Population:
    return Population(open_storage(str(tmp_path)))


def request(**given: Any) -> SearchSpec:
    return resolve(Options(SPACE, generations=1, **{"samples": 6, "stopping": False, **given}))


def opened(population: Population, asked: SearchSpec, name: str = "one") -> SearchState:
    return open_search_state(asked, population, Path(population.storage.url) / "searches" / name, name)


def train(population: Population, planned: PlannedChain, until: int | None = None) -> None:
    for number, generation in enumerate(planned.chain.generations[:until]):
        if generation.key not in population:
            simulator.Simulator(noise=0.1).train(population, generation, number, lambda _: None)


def carry_out(population: Population, books: SearchState, count: int | None = None) -> list[PlannedChain]:
    """Train what is proposed; returns the chains."""
    assert books.sampled is not None
    chains = []
    while (count is None or count > 0) and (proposed := books.sampled.propose()):
        for planned in proposed:
            books.tracker.on_chain_start(planned)
            train(population, planned)
            books.tracker.on_chain_end(planned, DONE)
            chains.append(planned)
        count = None if count is None else count - 1
    return chains


def trials(population: Population, name: str = "one", which: int = 0) -> Sequence[FrozenTrial]:
    file = Path(population.storage.url) / "searches" / name / "study.journal"
    storage = JournalStorage(JournalFileBackend(str(file)))
    study = sorted(optuna.get_all_study_names(storage))[which]
    return optuna.load_study(study_name=study, storage=storage).trials


def test_each_configuration_is_told_once_with_the_mean_over_its_seeds(population: Population) -> None:
    asked = request(seeds=(0, 1))
    chains = carry_out(population, opened(population, asked))
    assert len(chains) == 12
    found = trials(population)
    assert [trial.state.name for trial in found] == ["COMPLETE"] * 6
    for trial in found:
        errors = [
            population[planned.chain.keys[-1]].metrics.held_out_error
            for planned in chains
            if dict(planned.configuration) == trial.params
        ]
        assert len(errors) == 2
        assert trial.value == pytest.approx(sum(error or 0 for error in errors) / 2)
    again = opened(population, asked)
    assert again.sampled is not None
    assert again.sampled.propose() is None, "the search has its samples"
    assert len(again.sampled.chains) == 12
    assert len(trials(population)) == 6


def test_a_killed_search_goes_on_where_it_was(population: Population, tmp_path_factory: pytest.TempPathFactory) -> None:
    quiet = Population(open_storage(str(tmp_path_factory.mktemp("quiet"))))
    undisturbed = [planned.title for planned in carry_out(quiet, opened(quiet, request()))]

    killed = opened(population, request())
    carry_out(population, killed, 3)
    assert killed.sampled is not None
    (running,) = killed.sampled.propose() or ()
    killed.tracker.on_chain_start(running)
    train(population, running, until=1)
    again = opened(population, request())
    chains = carry_out(population, again)
    assert chains[0].configuration == running.configuration
    assert again.sampled is not None
    assert [planned.title for planned in again.sampled.chains] == undisturbed
    states = [trial.state.name for trial in trials(population)]
    assert states == ["COMPLETE"] * 3 + ["FAIL"] + ["COMPLETE"] * 3
    complete = [digest(trial.params) for trial in trials(population) if trial.state.name == "COMPLETE"]
    assert len(set(complete)) == 6, "no configuration twice"


def test_finished_configurations_of_the_population_enter_first(population: Population) -> None:
    carry_out(population, opened(population, request()))
    other = opened(population, request(samples=4), "other")
    assert other.sampled is not None
    assert other.sampled.found == 6
    found = trials(population, "other")
    assert [trial.state.name for trial in found] == ["COMPLETE"] * 6
    assert all(trial.user_attrs["found"] for trial in found)
    new = carry_out(population, other)
    known = {digest(trial.params) for trial in found}
    assert len(new) == 4, "what was found is not one of the samples"
    assert not {digest(dict(planned.configuration)) for planned in new} & known
    assert sorted(t.value for t in found) == sorted(t.value for t in trials(population))
    # Chains of other depth are other configurations' chains.
    deeper = opened(population, resolve(Options(SPACE, generations=2, samples=1)), "deeper")
    assert deeper.sampled is not None
    assert deeper.sampled.found == 0


def test_a_further_seed_begins_with_the_same_configurations(population: Population) -> None:
    first = carry_out(population, opened(population, request()))
    wider = carry_out(population, opened(population, request(seeds=(0, 1))))
    assert [planned.seed for planned in wider] == [1] * 6
    assert {planned.position.row for planned in wider} == {planned.position.row for planned in first}


def test_stopped_is_pruned_for_good_and_saturated_complete(population: Population) -> None:
    asked = request(stopping=True, seeds=(0, 1))
    books = opened(population, asked)
    assert books.sampled is not None
    assert books.early_stopping is not None
    one = books.sampled.propose() or []
    for planned in one:
        books.tracker.on_chain_start(planned)
        train(population, planned, until=1)
        books.early_stopping.add_completed(planned)
        books.tracker.on_chain_end(planned, ChainOutcome("stopped", "behind"))
    two = books.sampled.propose() or []
    for planned in two:
        books.tracker.on_chain_start(planned)
        train(population, planned, until=1)
        books.tracker.on_chain_end(planned, ChainOutcome("saturated", "no gain"))
    pruned, complete = trials(population)
    assert (pruned.state.name, complete.state.name) == ("PRUNED", "COMPLETE")
    assert set(pruned.intermediate_values) == {0, 1}
    assert pruned.user_attrs["reason"] == "seed 0: behind"
    assert complete.user_attrs["saturated"] == ["seed 0: no gain", "seed 1: no gain"]
    assert len(books.tracker.stopped) == 4
    best = front.find_best(asked, books.study)
    assert best is not None
    assert (best.num_finished, best.num_stopped) == (1, 1)
    again = carry_out(population, opened(population, asked))
    assert len(again) == 8
    assert {digest(dict(planned.configuration)) for planned in again}.isdisjoint(
        {digest(pruned.params), digest(complete.params)}
    )


def test_a_failed_configuration_has_no_value(population: Population) -> None:
    books = opened(population, request(seeds=(0, 1)))
    assert books.sampled is not None
    one, other = books.sampled.propose() or ()
    for planned in (one, other):
        books.tracker.on_chain_start(planned)
    train(population, one)
    books.tracker.on_chain_end(one, DONE)
    books.tracker.on_chain_end(other, ChainOutcome("failed", "the loss is not finite"))
    (trial,) = trials(population)
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["reason"] == "seed 1: the loss is not finite"


@pytest.mark.parametrize("target", ["last", "best", "ensemble"])
def test_targets_are_of_held_out_data(population: Population, target: str) -> None:
    asked = request(samples=2, target=target, minimise="error,parameters")
    chains = carry_out(population, opened(population, asked))
    for planned, trial in zip(chains, trials(population), strict=True):
        members = [population[key] for key in planned.chain.keys]
        errors = [member.metrics.held_out_error or 0 for member in members]
        expected = {"last": errors[-1], "best": min(errors), "ensemble": errors[1]}[target]
        assert trial.values == pytest.approx([expected, members[-1].parameters])
        # The test data of the simulator have another error.
        assert trial.values[0] != members[-1].metrics.test_error


def test_the_ensemble_of_generations_and_its_size(population: Population) -> None:
    asked = resolve(
        Options(SPACE, generations=3, samples=1, target="ensemble", minimise="error,parameters", stopping=False)
    )
    (planned,) = carry_out(population, opened(population, asked))
    (trial,) = trials(population)
    members = [population[key] for key in planned.chain.keys]
    assert trial.values[1] == sum(member.parameters for member in members[1:])
    assert trial.values[0] < min(member.metrics.held_out_error or 0 for member in members[1:])


def test_multiply_accumulates_of_an_image_of_the_task(population: Population) -> None:
    asked = request(samples=1, minimise="error,multiply-accumulates,parameters", max_parameters=500_000)
    (planned,) = carry_out(population, opened(population, asked))
    (trial,) = trials(population)
    network = planned.chain.network
    counted = multiply_accumulates(network, 10, 1, asked.dataset.sample_shape)
    assert trial.values[1:] == [population[planned.chain.keys[-1]].parameters, counted]


def test_a_grid_with_stopping_does_not_begin_what_was_stopped(population: Population, tmp_path: Path) -> None:
    asked = resolve(Options(write_space(tmp_path, epochs=10), seeds=(0,), stopping=True))
    first = opened(population, asked)
    assert len(first.open_chains) == 2
    first.tracker.on_chain_start(first.open_chains[0])
    first.tracker.on_chain_end(first.open_chains[0], ChainOutcome("stopped", "behind"))
    (left,) = opened(population, asked).open_chains
    assert left.configuration == first.open_chains[1].configuration
    whole = opened(population, replace(asked, policy=replace(asked.strategy, stopping=False))).open_chains
    assert len(whole) == 2, "without stopping every chain is trained whole"


def test_what_is_too_large_is_passed_over_and_said(population: Population) -> None:
    asked = request(samples=5, max_parameters=300_000)
    books = opened(population, asked)
    chains = carry_out(population, books)
    assert len(chains) == 5
    assert all((population[planned.chain.keys[-1]].parameters) <= 300_000 for planned in chains)
    assert books.sampled is not None
    assert any("more than 300,000 parameters" in sentence for sentence in books.sampled.skipped)
