"""Which chain is begun next, and what the budgets leave out."""

import time

import pytest

from ban_ray.runtime.trial import TrialSpec
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.controller import SearchController
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue
from ban_ray.tasks.source import Source
from tests.search.test_stopping_rules import planned


def four(_: PlannedChain) -> int:
    return 4


def test_chains_in_their_order_then_what_is_proposed() -> None:
    proposals = [[planned(2), planned(2, seed=1)], [planned(3)], None]
    agenda = ChainQueue([planned(0)], lambda: proposals.pop(0), missing=four)
    agenda.start()
    taken = []
    while (one := agenda.next()) is not None:
        taken.append((one.configuration["number"], one.seed))
    assert taken == [(0, 0), (2, 0), (2, 1), (3, 0)]
    assert agenda.finished
    assert agenda.skipped == []


def test_a_stopped_configuration_takes_its_waiting_chains_with_it() -> None:
    agenda = ChainQueue([planned(0), planned(1), planned(0, seed=1), planned(0, seed=2)], missing=four)
    agenda.start()
    first = agenda.next()
    assert first is not None
    assert [other.seed for other in agenda.cancel_configuration(first)] == [1, 2]
    following = agenda.next()
    assert following is not None
    assert following.configuration == {"number": 1}
    assert agenda.next() is None


def test_no_chain_is_begun_beyond_the_generations() -> None:
    agenda = ChainQueue([planned(number) for number in range(4)], missing=four, max_generations=9)
    agenda.start()
    one, two = agenda.next(), agenda.next()
    assert one is not None
    assert two is not None
    assert agenda.next() is None
    assert not agenda.finished, "one of them may be stopped and give back what it did not train"
    agenda.on_generation_trained(one)
    agenda.on_chain_end(one)
    third = agenda.next()
    assert third is not None, "1 trained, 4 promised, 4 left"
    for _ in range(4):
        agenda.on_generation_trained(two)
        agenda.on_generation_trained(third)
    agenda.on_chain_end(two)
    assert agenda.next() is None
    agenda.on_chain_end(third)
    assert agenda.next() is None
    assert agenda.finished
    assert len(agenda.skipped) == 1
    assert "--max-generations-trained 9 leaves 0" in agenda.skipped[0]
    assert agenda.skipped[0].endswith("needs 4: 1 waiting chain")


def test_nothing_is_begun_after_the_time() -> None:
    agenda = ChainQueue([planned(0), planned(1), planned(2)], missing=four, time_budget_s=0.05)
    agenda.start()
    assert agenda.next() is not None
    assert agenda.remaining_s == pytest.approx(1.0)
    time.sleep(0.06)
    assert agenda.next() is None
    assert agenda.finished
    assert agenda.skipped == ["--time-budget is used up: 2 waiting chains"]


def desk_of(agenda: ChainQueue, ended: list[tuple[int, str]]) -> SearchController:
    def make_trial(one: PlannedChain, number: int) -> TrialSpec:
        return TrialSpec(
            chain=one.chain,
            source=Source(name="digits"),
            storage="",
            folder="",
            execution="s",
            chain_number=number,
            title="t",
        )

    def on_end(one: PlannedChain, ending: ChainOutcome) -> None:
        ended.append((int(one.configuration["number"]), ending.status))

    return SearchController(agenda, None, make_trial, lambda *_: None, on_end)


def test_what_runs_when_the_time_is_up_is_interrupted() -> None:
    ended: list[tuple[int, str]] = []
    desk = desk_of(ChainQueue([planned(n) for n in range(4)], missing=four, time_budget_s=0.05), ended)
    desk.queue.start()
    assert all(desk.start_trial(trial) for trial in ("a", "b", "c"))
    desk.on_trial_complete("a", {"ended": "done", "sentence": ""}, error=False)
    time.sleep(0.06)
    desk.finish()
    assert ended == [(0, "done"), (1, "interrupted"), (2, "interrupted")]
    assert len(desk.interrupted) == 2
    assert desk.failed == []
    assert desk.queue.skipped == ["--time-budget is used up: 1 waiting chain"]


def test_what_ends_without_a_word_has_failed() -> None:
    ended: list[tuple[int, str]] = []
    desk = desk_of(ChainQueue([planned(0), planned(1)], missing=four), ended)
    desk.queue.start()
    assert all(desk.start_trial(trial) for trial in ("a", "b"))
    desk.on_trial_complete("a", {"generation": 0}, error=False)
    desk.finish()
    assert ended == [(0, "failed"), (1, "failed")]
    assert "without a result" in desk.failed[0][1]
