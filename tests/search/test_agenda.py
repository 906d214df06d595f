"""Which chain is begun next, and what the budgets leave out."""

import time

import pytest

from ban_ray.chain import Trial
from ban_ray.search.agenda import Agenda
from ban_ray.search.desk import Desk
from ban_ray.search.endings import Ending
from ban_ray.search.request import Planned
from ban_ray.tasks.source import Source
from tests.search.test_stopping_rules import planned


def four(_: Planned) -> int:
    return 4


def test_chains_in_their_order_then_what_is_proposed() -> None:
    proposals = [[planned(2), planned(2, seed=1)], [planned(3)], None]
    agenda = Agenda([planned(0)], lambda: proposals.pop(0), missing=four)
    agenda.start()
    taken = []
    while (one := agenda.next()) is not None:
        taken.append((one.configuration["number"], one.seed))
    assert taken == [(0, 0), (2, 0), (2, 1), (3, 0)]
    assert agenda.finished
    assert agenda.left_out == []


def test_a_stopped_configuration_takes_its_waiting_chains_with_it() -> None:
    agenda = Agenda([planned(0), planned(1), planned(0, seed=1), planned(0, seed=2)], missing=four)
    agenda.start()
    first = agenda.next()
    assert first is not None
    assert [other.seed for other in agenda.drop(first)] == [1, 2]
    following = agenda.next()
    assert following is not None
    assert following.configuration == {"number": 1}
    assert agenda.next() is None


def test_no_chain_is_begun_beyond_the_generations() -> None:
    agenda = Agenda([planned(number) for number in range(4)], missing=four, max_generations=9)
    agenda.start()
    one, two = agenda.next(), agenda.next()
    assert one is not None
    assert two is not None
    assert agenda.next() is None
    assert not agenda.finished, "one of them may be stopped and give back what it did not train"
    agenda.trained(one)
    agenda.ended(one)
    third = agenda.next()
    assert third is not None, "1 trained, 4 promised, 4 left"
    for _ in range(4):
        agenda.trained(two)
        agenda.trained(third)
    agenda.ended(two)
    assert agenda.next() is None
    agenda.ended(third)
    assert agenda.next() is None
    assert agenda.finished
    assert len(agenda.left_out) == 1
    assert "--max-generations-trained 9 leaves 0" in agenda.left_out[0]
    assert agenda.left_out[0].endswith("needs 4: 1 waiting chain")


def test_nothing_is_begun_after_the_time() -> None:
    agenda = Agenda([planned(0), planned(1), planned(2)], missing=four, time_budget_s=0.05)
    agenda.start()
    assert agenda.next() is not None
    assert agenda.seconds_left == pytest.approx(1.0)
    time.sleep(0.06)
    assert agenda.next() is None
    assert agenda.finished
    assert agenda.left_out == ["--time-budget is used up: 2 waiting chains"]


def desk_of(agenda: Agenda, ended: list[tuple[int, str]]) -> Desk:
    def make_trial(one: Planned, number: int) -> Trial:
        return Trial(
            chain=one.chain, source=Source(name="digits"), storage="", folder="", search="s", number=number, title="t"
        )

    def on_end(one: Planned, ending: Ending) -> None:
        ended.append((int(one.configuration["number"]), ending.kind))

    return Desk(agenda, None, make_trial, lambda *_: None, on_end)


def test_what_runs_when_the_time_is_up_is_interrupted() -> None:
    ended: list[tuple[int, str]] = []
    desk = desk_of(Agenda([planned(n) for n in range(4)], missing=four, time_budget_s=0.05), ended)
    desk.agenda.start()
    assert all(desk.next(trial) for trial in ("a", "b", "c"))
    desk.end("a", {"ended": "done", "sentence": ""}, error=False)
    time.sleep(0.06)
    desk.close()
    assert ended == [(0, "done"), (1, "interrupted"), (2, "interrupted")]
    assert len(desk.interrupted) == 2
    assert desk.failed == []
    assert desk.agenda.left_out == ["--time-budget is used up: 1 waiting chain"]


def test_what_ends_without_a_word_has_failed() -> None:
    ended: list[tuple[int, str]] = []
    desk = desk_of(Agenda([planned(0), planned(1)], missing=four), ended)
    desk.agenda.start()
    assert all(desk.next(trial) for trial in ("a", "b"))
    desk.end("a", {"generation": 0}, error=False)
    desk.close()
    assert ended == [(0, "failed"), (1, "failed")]
    assert "without a result" in desk.failed[0][1]
