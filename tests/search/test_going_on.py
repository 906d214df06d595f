"""What a further start of a sampled search begins again, and what it leaves as it is."""

import shutil
from pathlib import Path

import pytest

from ban_ray.population import Population
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.state import SearchState
from ban_ray.search.study import best as front
from ban_ray.specs import digest
from tests.search.test_sampling import carry_out, opened, population, request, train, trials  # noqa: F401


def end_early(population: Population, asked: SearchSpec, kind: str) -> tuple[SearchState, list[PlannedChain]]:  # noqa: F811
    """One configuration that ends by itself or is stopped after its baseline."""
    books = opened(population, asked)
    assert books.sampled is not None
    chains = books.sampled.propose() or []
    for planned in chains:
        books.tracker.on_chain_start(planned)
        train(population, planned, until=1)
        if books.early_stopping:
            books.early_stopping.add_completed(planned)
        books.tracker.on_chain_end(planned, ChainOutcome(kind, "behind"))  # type: ignore[arg-type]
    return books, chains


def digests(chains: list[PlannedChain]) -> set[str]:
    return {digest(dict(planned.configuration)) for planned in chains}


@pytest.mark.parametrize("kind", ["stopped", "saturated"])
def test_without_stopping_what_ended_early_is_trained_whole(population: Population, kind: str) -> None:  # noqa: F811
    _, ended = end_early(population, request(stopping=True, samples=1), kind)
    asked = request(samples=1)
    again = opened(population, asked)
    assert digests(carry_out(population, again)) == digests(ended)
    last = trials(population)[-1]
    assert last.state.name == "COMPLETE"
    assert "saturated" not in last.user_attrs
    assert last.value == population[ended[0].chain.keys[-1]].metrics.held_out_error
    found = front.find_best(asked, again.study)
    assert found is not None
    assert (found.num_finished, found.num_stopped) == (1, 0)
    assert not carry_out(population, opened(population, asked)), "told for good"


def test_what_was_stopped_and_is_whole_by_another_search_is_found(population: Population) -> None:  # noqa: F811
    asked = request(stopping=True, samples=1)
    _, ended = end_early(population, asked, "stopped")
    for planned in ended:
        train(population, planned)
    again = opened(population, asked)
    assert again.sampled is not None
    assert again.sampled.found == 1
    assert [trial.state.name for trial in trials(population)] == ["PRUNED", "COMPLETE"]


def test_a_member_that_is_gone_is_trained_again(population: Population) -> None:  # noqa: F811
    asked = request(samples=2)
    chains = carry_out(population, opened(population, asked))
    shutil.rmtree(Path(population.storage.url) / "population" / chains[0].chain.keys[-1])
    assert carry_out(population, opened(population, asked)) == chains[:1]
    assert chains[0].chain.keys[-1] in population


def test_what_is_too_large_now_is_neither_counted_nor_best(population: Population) -> None:  # noqa: F811
    chains = carry_out(population, opened(population, request(samples=4)))
    sizes = {digest(dict(one.configuration)): population[one.chain.keys[-1]].parameters for one in chains}
    limit = sorted(sizes.values())[1]
    small = {identity for identity, size in sizes.items() if size <= limit}
    asked = request(samples=4, max_parameters=limit)
    again = opened(population, asked)
    further = carry_out(population, again)
    assert len(further) == 4 - len(small)
    found = front.find_best(asked, again.study)
    assert found is not None
    assert found.num_finished == 4
    assert {digest(dict(configuration)) for _, configuration, _ in found.best} <= small | digests(further)


def test_the_stopped_stand_at_their_rungs_after_a_restart(population: Population) -> None:  # noqa: F811
    """Of a generation that was stopped in training nothing is published: only the study has its error."""
    asked = request(stopping=True, samples=1)
    books = opened(population, asked)
    assert books.sampled is not None
    assert books.early_stopping is not None
    (planned,) = books.sampled.propose() or ()
    rung = planned.chain.generations[0].recipe.rung_epoch
    books.tracker.on_chain_start(planned)
    books.early_stopping.on_report(
        planned,
        {"generation": 0, "key": planned.chain.keys[0], "epoch": rung, "rung": rung, "held_out_error": 44.0},
    )
    books.tracker.on_chain_end(planned, ChainOutcome("stopped", "behind"))
    again = opened(population, asked)
    assert again.early_stopping is not None
    assert again.early_stopping.rung_errors(planned) == {0: 44.0}
    assert not carry_out(population, again)


def test_a_damaged_member_is_begun_again_and_told_of(population: Population) -> None:  # noqa: F811
    """The search does not end by it: the chain that needs it says so."""
    asked = request(samples=1)
    (planned,) = carry_out(population, opened(population, asked))
    record = Path(population.storage.url) / "population" / planned.chain.keys[0] / "member.json"
    record.write_bytes(record.read_bytes().replace(b"epoch", b"epocH", 1))
    again = opened(Population(population.storage), asked)
    assert again.sampled is not None
    assert digests(again.sampled.propose() or []) == digests([planned])
