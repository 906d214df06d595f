"""A further start of a sampled search: what runs again, and what stays as it is."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from ban_ray.population import Population
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.state import SearchState
from ban_ray.search.study.best import find_best
from ban_ray.specs.parameters import configuration_id
from tests.helpers.chains import epoch_ended
from tests.helpers.command import write_space
from tests.helpers.simulated import ids, open_state, simulated_search, study_trials, train, train_proposals

Status = Literal["pruned", "saturated"]


def end_early(population: Population, spec: SearchSpec, status: Status) -> tuple[SearchState, list[PlannedChain]]:
    """One configuration that ends by itself or is stopped after its baseline."""
    state = open_state(population, spec)
    chains = state.configurations.next_incomplete_chains() or []
    for planned in chains:
        state.configurations.on_chain_start(planned)
        train(population, planned, until=1)
        state.stopping_rule.record_published(planned)
        state.configurations.on_chain_end(planned, ChainOutcome(status, "behind"))
    return state, chains


@pytest.mark.parametrize("status", ["pruned", "saturated"])
def test_without_stopping_what_ended_early_is_trained_whole(population: Population, status: Status) -> None:
    _, ended = end_early(population, simulated_search(stopping=True, samples=1), status)
    spec = simulated_search(samples=1)
    restarted = open_state(population, spec)
    assert ids(train_proposals(population, restarted)) == ids(ended)
    last = study_trials(population)[-1]
    assert last.state.name == "COMPLETE"
    assert "saturated" not in last.user_attrs
    assert last.value == population[ended[0].chain.keys[-1]].metrics.held_out_error
    best = find_best(spec, restarted.study)
    assert best is not None
    assert (best.num_complete, best.num_pruned) == (1, 0)
    assert not train_proposals(population, open_state(population, spec)), "told for good"


def test_what_was_stopped_and_is_whole_by_another_search_is_found(population: Population) -> None:
    spec = simulated_search(stopping=True, samples=1)
    _, ended = end_early(population, spec, "pruned")
    for planned in ended:
        train(population, planned)
    restarted = open_state(population, spec)
    assert restarted.configurations.num_from_population == 1
    assert [trial.state.name for trial in study_trials(population)] == ["PRUNED", "COMPLETE"]


def test_a_member_that_is_gone_is_trained_again(population: Population) -> None:
    spec = simulated_search(samples=2)
    chains = train_proposals(population, open_state(population, spec))
    shutil.rmtree(Path(population.storage.url) / "population" / chains[0].chain.keys[-1])
    assert train_proposals(population, open_state(population, spec)) == chains[:1]
    assert chains[0].chain.keys[-1] in population


def test_what_is_too_large_now_is_neither_counted_nor_best(population: Population) -> None:
    chains = train_proposals(population, open_state(population, simulated_search(samples=4)))
    sizes = {
        configuration_id(planned.configuration): population[planned.chain.keys[-1]].parameters for planned in chains
    }
    limit = sorted(sizes.values())[1]
    small = {identifier for identifier, size in sizes.items() if size <= limit}
    spec = simulated_search(samples=4, max_parameters=limit)
    restarted = open_state(population, spec)
    further = train_proposals(population, restarted)
    assert len(further) == 4 - len(small)
    best = find_best(spec, restarted.study)
    assert best is not None
    assert best.num_complete == 4
    assert {configuration_id(configuration) for _, configuration, _ in best.front} <= small | ids(further)


def test_stopped_chains_are_compared_with_after_a_restart(population: Population) -> None:
    """Of a generation that was stopped in training nothing is published: only the study has its error."""
    spec = simulated_search(stopping=True, samples=1)
    state = open_state(population, spec)
    (planned,) = state.configurations.next_incomplete_chains() or []
    rung = planned.chain.generations[0].recipe.drop_rung_epoch
    assert rung is not None
    state.configurations.on_chain_start(planned)
    event = epoch_ended(planned, 0, rung, 44.0).model_copy(update={"drop_rung_epoch": rung})
    assert state.stopping_rule.on_event(planned, event) is None
    state.configurations.on_chain_end(planned, ChainOutcome("pruned", "behind"))
    restarted = open_state(population, spec)
    assert restarted.stopping_rule.rung_errors(planned.configuration) == {0: 44.0}
    assert not train_proposals(population, restarted)


def test_a_chain_with_a_damaged_member_is_proposed_again(population: Population) -> None:
    """The search does not end by it: the chain that needs it says so."""
    spec = simulated_search(samples=1)
    (planned,) = train_proposals(population, open_state(population, spec))
    record = Path(population.storage.url) / "population" / planned.chain.keys[0] / "member.json"
    record.write_bytes(record.read_bytes().replace(b"epoch", b"epocH", 1))
    restarted = open_state(Population(population.storage), spec)
    assert ids(restarted.configurations.next_incomplete_chains() or []) == ids([planned])


def test_a_grid_with_stopping_does_not_begin_what_was_stopped(population: Population, tmp_path: Path) -> None:
    spec = resolve(SearchOptions(space=write_space(tmp_path, epochs=10), seeds=(0,), stopping=True))
    first = open_state(population, spec)
    stopped, waiting = first.queue.queued_chains
    first.configurations.on_chain_start(stopped)
    first.configurations.on_chain_end(stopped, ChainOutcome("pruned", "behind"))
    (planned,) = open_state(population, spec).queue.queued_chains
    assert planned.configuration == waiting.configuration
    without_stopping = replace(spec, strategy=replace(spec.strategy, stopping=False))
    assert len(open_state(population, without_stopping).queue.queued_chains) == 2, "every chain is trained whole"
