"""The trial of each configuration in the study is closed once, when all its chains have ended."""

import pytest

from ban_ray.population import Population
from ban_ray.search.schedule.outcome import DONE, ChainOutcome
from ban_ray.search.study.best import find_best
from ban_ray.specs.parameters import configuration_id
from tests.helpers.simulated import ids, open_state, simulated_search, study_trials, train, train_proposals


def test_each_configuration_is_complete_once_with_the_mean_over_its_seeds(population: Population) -> None:
    spec = simulated_search(seeds=(0, 1))
    chains = train_proposals(population, open_state(population, spec))
    assert len(chains) == 12
    trials = study_trials(population)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 6
    for trial in trials:
        errors = [
            population[planned.chain.keys[-1]].metrics.held_out_error
            for planned in chains
            if dict(planned.configuration) == trial.params
        ]
        assert len(errors) == 2
        assert trial.value == pytest.approx(sum(error or 0 for error in errors) / 2)
    restarted = open_state(population, spec)
    assert restarted.configurations.next_incomplete_chains() is None, "the search has its samples"
    assert len(restarted.configurations.chains) == 12
    assert len(study_trials(population)) == 6


def test_stopped_is_pruned_for_good_and_saturated_complete(population: Population) -> None:
    spec = simulated_search(stopping=True, seeds=(0, 1))
    state = open_state(population, spec)
    for planned in state.configurations.next_incomplete_chains() or []:
        state.configurations.on_chain_start(planned)
        train(population, planned, until=1)
        state.stopping_rule.record_published(planned)
        state.configurations.on_chain_end(planned, ChainOutcome("pruned", "behind"))
    for planned in state.configurations.next_incomplete_chains() or []:
        state.configurations.on_chain_start(planned)
        train(population, planned, until=1)
        state.configurations.on_chain_end(planned, ChainOutcome("saturated", "no gain"))
    pruned, complete = study_trials(population)
    assert (pruned.state.name, complete.state.name) == ("PRUNED", "COMPLETE")
    assert set(pruned.intermediate_values) == {0, 1}
    assert pruned.user_attrs["reason"] == "seed 0: behind"
    assert complete.user_attrs["saturated"] == ["seed 0: no gain", "seed 1: no gain"]
    best = find_best(spec, state.study)
    assert best is not None
    assert (best.num_complete, best.num_pruned) == (1, 1)
    restarted = train_proposals(population, open_state(population, spec))
    assert len(restarted) == 8
    assert ids(restarted).isdisjoint({configuration_id(pruned.params), configuration_id(complete.params)})


def test_a_failed_configuration_has_no_value(population: Population) -> None:
    state = open_state(population, simulated_search(seeds=(0, 1)))
    first, second = state.configurations.next_incomplete_chains() or []
    for planned in (first, second):
        state.configurations.on_chain_start(planned)
    train(population, first)
    state.configurations.on_chain_end(first, DONE)
    state.configurations.on_chain_end(second, ChainOutcome("failed", "the loss is not finite"))
    (trial,) = study_trials(population)
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["reason"] == "seed 1: the loss is not finite"
