"""The targets of finished chains: held-out error and size, nothing of the test set."""

import pytest

from ban_ray.networks.cost import multiply_accumulates
from ban_ray.population import Population
from tests.helpers.simulated import open_state, simulated_search, study_trials, train_proposals


@pytest.mark.parametrize("target", ["last", "best", "ensemble"])
def test_targets_are_of_held_out_data(population: Population, target: str) -> None:
    spec = simulated_search(samples=2, target=target, minimise="error,parameters")
    chains = train_proposals(population, open_state(population, spec))
    for planned, trial in zip(chains, study_trials(population), strict=True):
        members = [population[key] for key in planned.chain.keys]
        errors = [member.metrics.held_out_error or 0 for member in members]
        expected = {"last": errors[-1], "best": min(errors), "ensemble": errors[1]}[target]
        assert trial.values == pytest.approx([expected, members[-1].parameters])
        # The test data of the simulator have another error.
        assert trial.values[0] != members[-1].metrics.test_error


def test_the_ensemble_of_generations_and_its_size(population: Population) -> None:
    spec = simulated_search(generations=3, samples=1, target="ensemble", minimise="error,parameters")
    (planned,) = train_proposals(population, open_state(population, spec))
    (trial,) = study_trials(population)
    members = [population[key] for key in planned.chain.keys]
    assert trial.values[1] == sum(member.parameters for member in members[1:])
    assert trial.values[0] < min(member.metrics.held_out_error or 0 for member in members[1:])


def test_multiply_accumulates_of_an_image_of_the_task(population: Population) -> None:
    spec = simulated_search(samples=1, minimise="error,multiply-accumulates,parameters", max_parameters=500_000)
    (planned,) = train_proposals(population, open_state(population, spec))
    (trial,) = study_trials(population)
    network = planned.chain.network
    counted = multiply_accumulates(network, 10, 1, (8, 8))
    assert trial.values[1:] == [population[planned.chain.keys[-1]].parameters, counted]
