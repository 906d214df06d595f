"""The chain that starts next, and what the budgets of generations and time leave out."""

import time

import pytest

from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.queue import ChainQueue
from tests.helpers.chains import number_of, plan_chain


def four(_: PlannedChain) -> int:
    return 4


def test_chains_in_their_order_then_what_is_proposed() -> None:
    proposals = [[plan_chain(2), plan_chain(2, seed=1)], [plan_chain(3)], None]
    queue = ChainQueue([plan_chain(0)], lambda: proposals.pop(0), count_missing=four)
    queue.start_time_budget()
    started = []
    while (planned := queue.next_chain()) is not None:
        started.append((number_of(planned), planned.seed))
    assert started == [(0, 0), (2, 0), (2, 1), (3, 0)]
    assert queue.is_finished
    assert queue.skip_reasons == []


def test_a_stopped_configuration_takes_its_waiting_chains_with_it() -> None:
    queue = ChainQueue([plan_chain(0), plan_chain(1), plan_chain(0, seed=1), plan_chain(0, seed=2)], count_missing=four)
    queue.start_time_budget()
    first = queue.next_chain()
    assert first is not None
    assert [cancelled.seed for cancelled in queue.cancel_configuration(first)] == [1, 2]
    following = queue.next_chain()
    assert following is not None
    assert number_of(following) == 1
    assert queue.next_chain() is None


def test_no_chain_is_begun_beyond_the_generations() -> None:
    queue = ChainQueue([plan_chain(number) for number in range(4)], count_missing=four, max_generations=9)
    queue.start_time_budget()
    first, second = queue.next_chain(), queue.next_chain()
    assert first is not None
    assert second is not None
    assert queue.next_chain() is None
    is_finished = queue.is_finished
    assert not is_finished, "one of them may be stopped and give back what it did not train"
    queue.on_generation_trained(first)
    queue.on_chain_end(first)
    third = queue.next_chain()
    assert third is not None, "1 trained, 4 promised, 4 left"
    for _ in range(4):
        queue.on_generation_trained(second)
        queue.on_generation_trained(third)
    queue.on_chain_end(second)
    assert queue.next_chain() is None
    queue.on_chain_end(third)
    assert queue.next_chain() is None
    assert queue.is_finished
    (sentence,) = queue.skip_reasons
    assert "--max-generations-trained 9 leaves 0" in sentence
    assert sentence.endswith("needs 4: 1 waiting chain")


def test_nothing_is_begun_after_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("ban_ray.search.schedule.queue.time.monotonic", lambda: now)
    queue = ChainQueue([plan_chain(0), plan_chain(1), plan_chain(2)], count_missing=four, time_budget_s=20)
    queue.start_time_budget()
    assert queue.next_chain() is not None
    assert queue.remaining_s == 20
    now += 19.5
    assert not queue.is_out_of_time
    assert queue.remaining_s == 1
    now += 1
    assert queue.next_chain() is None
    assert queue.is_finished
    assert queue.skip_reasons == ["--time-budget is used up: 2 waiting chains"]
