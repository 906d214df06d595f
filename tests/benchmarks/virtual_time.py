"""A search in virtual time: controller, queue, stopping rule, study, sampler and population are the real ones.

An event queue stands for Tune's loop, so that seeds by the dozen take minutes. An epoch takes one unit of time.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ban_ray.population import Population, open_storage
from ban_ray.runtime.events import ChainEnded, Event, Reused, event_to_result
from ban_ray.runtime.messages import ExecutionContext, TrialSpec
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.controller import SearchController
from ban_ray.search.schedule.state import SearchState
from ban_ray.search.study import targets
from ban_ray.search.study.best import find_best
from tests.benchmarks.simulator import Simulator, final_error

Turns = Iterator[Any]


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes:
        epochs: of distinct generations, those of stopped chains as far as they were trained.
        error: of the last generation trained of the configuration with the lowest held-out error, without noise.
        stopped: chains that ended early.
    """

    epochs: int
    error: float
    stopped: int


def search(spec: SearchSpec, folder: Path, noise: float, concurrent: int) -> Result:
    """Run a search; `concurrent` chains share the time evenly."""
    population = Population(open_storage(str(folder)))
    state = SearchState.open(spec, population, folder / "searches" / "one", "one")
    simulator, trained = Simulator(noise), dict[str, int]()
    running: list[PlannedChain] = []

    def start(planned: PlannedChain, number: int) -> TrialSpec:
        running.append(planned)
        context = ExecutionContext(storage=str(folder), data_source=spec.data_source, execution_name="s")
        return TrialSpec(
            context=context, chain=planned.chain, chain_number=number, name=planned.slug, ray_folder=str(folder)
        )

    controller = SearchController(state.queue, state.stopping_rule, start, [state.configurations])
    state.queue.start_time_budget()
    queue: list[tuple[float, int, str, Turns]] = []
    clock, count = 0.0, 0
    while True:
        while len(queue) < concurrent and controller.next_trial_config(str(count)) is not None:
            turns = _turns(running[-1], population, simulator, trained)
            heapq.heappush(queue, (clock + next(turns), count, str(count), turns))
            count += 1
        if not queue:
            break
        clock, order, trial, turns = heapq.heappop(queue)
        event = next(turns)
        record = event_to_result(event)
        if controller.on_result(trial, record) or isinstance(event, ChainEnded):
            controller.on_trial_complete(trial, record, error=False)
        else:
            heapq.heappush(queue, (clock + next(turns), order, trial, turns))
    best = find_best(spec, state.study)
    assert best is not None
    chosen = spec.chains_of(best.front[0][1])[0]
    error = final_error(chosen.chain.network, len(targets.published_members(population, chosen)) - 1)
    ended_early = sum(outcome.status in ("pruned", "saturated") for _, outcome in controller.ended_chains)
    return Result(sum(trained.values()), error, ended_early)


def _turns(planned: PlannedChain, population: Population, simulator: Simulator, trained: dict[str, int]) -> Turns:
    """Turns of epochs to wait and the event that follows."""
    for number, generation in enumerate(planned.chain.generations):
        if generation.key in population:
            yield 0.0
            yield Reused(generation=number, key=generation.key)
            continue
        events: list[Event] = []
        rung = generation.recipe.drop_rung_epoch or 0
        if rung:
            trained[generation.key] = rung
            yield float(rung)
            yield simulator.at_rung(generation, number)
        yield float(generation.recipe.epochs - rung)
        trained[generation.key] = generation.recipe.epochs
        simulator.train(population, generation, number, events.append)
        yield events[-1]
    yield 0.0
    yield ChainEnded(status="done")
