"""The way between Tune's trials and the chains of a search, without Tune."""

import pickle
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ban_ray.runtime.events import ChainEnded, Event, Published, Reused, Waiting, event_to_result
from ban_ray.runtime.messages import TrialSpec
from ban_ray.search.config.spec import PlannedChain
from ban_ray.search.schedule.controller import ChainCallback, SearchController
from ban_ray.search.schedule.early_stopping import StoppingRule
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue
from tests.helpers.chains import epoch_ended, number_of, plan_chain, published
from tests.helpers.jobs import make_trial

DONE = event_to_result(ChainEnded(status="done"))


class Recorder(ChainCallback):
    """Writes down what it is told, by the chain's number."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.events: list[tuple[int, Event]] = []
        self.ended: list[tuple[int, str]] = []

    def on_chain_start(self, planned: PlannedChain) -> None:
        self.started.append(number_of(planned))

    def on_event(self, planned: PlannedChain, event: Event) -> None:
        self.events.append((number_of(planned), event))

    def on_chain_end(self, planned: PlannedChain, outcome: ChainOutcome) -> None:
        self.ended.append((number_of(planned), outcome.status))


STOPPED = ChainOutcome("pruned", "by the test")


class StopAtPublication(StoppingRule):
    """Stops every chain at its first publication."""

    def on_event(self, planned: PlannedChain, event: Event) -> ChainOutcome | None:
        return STOPPED if isinstance(event, Published) else None


def trial_of(planned: PlannedChain, number: int) -> TrialSpec:
    return make_trial(planned.chain, "runs", number=number)


def controller_of(
    chains: Sequence[PlannedChain], stopping: StoppingRule | None = None, **budgets: Any
) -> tuple[SearchController, Recorder]:
    queue = ChainQueue(chains, count_missing=lambda _: 4, **budgets)
    recorder = Recorder()
    controller = SearchController(queue, stopping or StoppingRule(), trial_of, [recorder])
    queue.start_time_budget()
    return controller, recorder


def start(controller: SearchController, *trial_ids: str) -> list[Mapping[str, str] | None]:
    return [controller.next_trial_config(trial_id) for trial_id in trial_ids]


def test_a_trial_says_which_chain_it_trains() -> None:
    controller, recorder = controller_of([plan_chain(0), plan_chain(1)])
    first, second, none = start(controller, "a", "b", "c")
    assert none is None
    assert recorder.started == [0, 1]
    for number, config in enumerate((first, second)):
        assert config is not None
        trial = TrialSpec.model_validate_json(config["trial"])
        assert trial == trial_of(plan_chain(number), number + 1)
    assert controller.trial_name("a") == f"{plan_chain(0).slug}_a"
    assert controller.trial_name("unknown") == "unknown"


def test_callbacks_get_every_event_of_a_running_chain_and_of_no_other() -> None:
    planned = plan_chain(0)
    controller, recorder = controller_of([planned])
    start(controller, "a")
    events: list[Event] = [
        Reused(generation=0, key=planned.chain.keys[0]),
        Waiting(key=planned.chain.keys[1]),
        epoch_ended(planned, 1, 3, 50.0),
        published(planned, 1, 20.0),
    ]
    for event in events:
        assert not controller.on_result("a", event_to_result(event))
        assert not controller.on_result("unknown", event_to_result(event))
    assert not controller.on_result("a", {"time_total_s": 1.0}), "Tune's own results carry no event"
    assert recorder.events == [(0, event) for event in events]


@pytest.mark.parametrize(("budget", "is_enough"), [(5, True), (4, False)])
def test_a_published_generation_is_taken_from_the_budget_and_a_reused_one_is_not(budget: int, is_enough: bool) -> None:
    chains = [plan_chain(0), plan_chain(1)]
    controller, _ = controller_of(chains, max_generations=budget)
    start(controller, "a")
    controller.on_result("a", event_to_result(Reused(generation=0, key=chains[0].chain.keys[0])))
    controller.on_result("a", event_to_result(published(chains[0], 1, 20.0)))
    controller.on_trial_complete("a", DONE, error=False)
    has_next = controller.next_trial_config("b") is not None
    assert has_next == is_enough, "one was trained, and the next chain needs four"


def test_a_chain_that_is_stopped_takes_its_other_seeds_with_it() -> None:
    chains = [plan_chain(0), plan_chain(1), plan_chain(0, seed=1)]
    controller, recorder = controller_of(chains, StopAtPublication())
    start(controller, "a", "b")
    assert controller.on_result("a", event_to_result(published(chains[0], 0, 20.0)))
    controller.on_trial_complete("a", {}, error=False)
    assert recorder.ended == [(0, "pruned"), (0, "pruned")]
    assert controller.next_trial_config("c") is None
    assert controller.ended_chains == [(chains[0], STOPPED), (chains[2], STOPPED)]


def test_a_chain_that_fails_is_told_with_its_message() -> None:
    controller, recorder = controller_of([plan_chain(0), plan_chain(1)])
    start(controller, "a", "b")
    failure = event_to_result(ChainEnded(status="failed", key="k", message="its loss is not finite"))
    controller.on_trial_complete("a", failure, error=False)
    controller.on_trial_complete("b", failure, error=True)
    assert [outcome.message for _, outcome in controller.ended_chains] == ["its loss is not finite"] * 2
    assert recorder.ended == [(0, "failed"), (1, "failed")]


@pytest.mark.parametrize("error", [False, True])
def test_a_trial_that_ends_without_a_result_has_failed(error: bool) -> None:
    planned = plan_chain(0)
    controller, recorder = controller_of([planned, plan_chain(1)])
    start(controller, "a", "b")
    controller.on_trial_complete("a", event_to_result(published(planned, 0, 20.0)), error=error)
    controller.end_remaining_trials()
    assert recorder.ended == [(0, "failed"), (1, "failed")]
    assert all("without a result" in outcome.message for _, outcome in controller.ended_chains)


def test_what_runs_when_the_time_is_up_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("ban_ray.search.schedule.queue.time.monotonic", lambda: now)
    controller, recorder = controller_of([plan_chain(number) for number in range(4)], time_budget_s=5)
    assert all(start(controller, "a", "b", "c"))
    controller.on_trial_complete("a", DONE, error=False)
    now += 6
    controller.end_remaining_trials()
    assert recorder.ended == [(0, "done"), (1, "interrupted"), (2, "interrupted")]
    assert [outcome.status for _, outcome in controller.ended_chains] == ["done", "interrupted", "interrupted"]
    assert controller.queue.skip_reasons == ["--time-budget is used up: 1 waiting chain"]


def test_a_pickled_copy_has_no_chains() -> None:
    controller, _ = controller_of([plan_chain(0)])
    copy = pickle.loads(pickle.dumps(controller))
    assert copy.next_trial_config("a") is None
    assert copy.queue.is_finished
    assert controller.next_trial_config("a") is not None
