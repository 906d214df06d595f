"""Proposals of a sampled search over several starts, without Ray: what is found counts, what was begun resumes."""

from collections.abc import Sequence

import pytest
from optuna.trial import FrozenTrial

from ban_ray.population import Population, open_storage
from ban_ray.specs.parameters import configuration_id
from tests.helpers.simulated import ids, open_state, simulated_search, study_trials, train, train_proposals


def values(trials: Sequence[FrozenTrial]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def test_a_killed_search_goes_on_where_it_was(population: Population, tmp_path_factory: pytest.TempPathFactory) -> None:
    quiet = Population(open_storage(str(tmp_path_factory.mktemp("quiet"))))
    undisturbed = [planned.title for planned in train_proposals(quiet, open_state(quiet, simulated_search()))]

    killed = open_state(population, simulated_search())
    train_proposals(population, killed, 3)
    (running,) = killed.configurations.next_incomplete_chains() or []
    killed.configurations.on_chain_start(running)
    train(population, running, until=1)
    restarted = open_state(population, simulated_search())
    chains = train_proposals(population, restarted)
    assert chains[0].configuration == running.configuration
    assert [planned.title for planned in restarted.configurations.chains] == undisturbed
    states = [trial.state.name for trial in study_trials(population)]
    assert states == ["COMPLETE"] * 3 + ["FAIL"] + ["COMPLETE"] * 3
    complete = [configuration_id(trial.params) for trial in study_trials(population) if trial.state.name == "COMPLETE"]
    assert len(set(complete)) == 6, "no configuration twice"


def test_finished_configurations_of_the_population_enter_first(population: Population) -> None:
    train_proposals(population, open_state(population, simulated_search()))
    other = open_state(population, simulated_search(samples=4), "other")
    assert other.configurations.num_from_population == 6
    trials = study_trials(population, "other")
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 6
    assert all(trial.user_attrs["found"] for trial in trials)
    new = train_proposals(population, other)
    known = {configuration_id(trial.params) for trial in trials}
    assert len(new) == 4, "what was found is not one of the samples"
    assert not ids(new) & known
    assert sorted(values(trials)) == sorted(values(study_trials(population)))
    # Chains of other depth are other configurations' chains.
    deeper = open_state(population, simulated_search(generations=2, samples=1), "deeper")
    assert deeper.configurations.num_from_population == 0


def test_a_further_seed_begins_with_the_same_configurations(population: Population) -> None:
    first = train_proposals(population, open_state(population, simulated_search()))
    wider = train_proposals(population, open_state(population, simulated_search(seeds=(0, 1))))
    assert [planned.seed for planned in wider] == [1] * 6
    assert {planned.position.row for planned in wider} == {planned.position.row for planned in first}


def test_what_is_too_large_is_passed_over_and_said(population: Population) -> None:
    spec = simulated_search(samples=5, max_parameters=300_000)
    state = open_state(population, spec)
    chains = train_proposals(population, state)
    assert len(chains) == 5
    assert all((population[planned.chain.keys[-1]].parameters) <= 300_000 for planned in chains)
    assert any("more than 300,000 parameters" in sentence for sentence in state.configurations.skip_reasons)
