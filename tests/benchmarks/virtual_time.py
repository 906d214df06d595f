"""A search in virtual time: desk, agenda, judge, ledger, study, sampler and population are the real ones.

An event queue stands for Tune's loop, so that seeds by the dozen take minutes. An epoch takes one unit of time.
"""

import heapq
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ban_ray.population import Population, open_storage
from ban_ray.runtime.trial import TrialSpec
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.schedule.controller import SearchController
from ban_ray.search.schedule.outcome import ChainOutcome
from ban_ray.search.schedule.queue import ChainQueue
from ban_ray.search.schedule.state import open_search_state
from ban_ray.search.study import best as front
from ban_ray.search.study import targets
from tests.benchmarks.simulator import Simulator, final_error


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


def search(request: SearchSpec, folder: Path, noise: float, concurrent: int) -> Result:
    """Run a search; `concurrent` chains share the time evenly."""
    population = Population(open_storage(str(folder)))
    books = open_search_state(request, population, folder / "searches" / "one", "one")
    simulator, trained = Simulator(noise), dict[str, int]()
    sampling = books.sampled
    agenda = ChainQueue(books.open_chains, sampling.propose if sampling else None, missing=lambda _: 0)

    def make_trial(planned: PlannedChain, number: int) -> TrialSpec:
        books.tracker.on_chain_start(planned)
        return TrialSpec(
            chain=planned.chain,
            source=request.source,
            storage=str(folder),
            folder="",
            execution="s",
            title=planned.slug,
        )

    def ended(planned: PlannedChain, ending: ChainOutcome) -> None:
        books.tracker.on_chain_end(planned, ending)

    desk = SearchController(agenda, books.early_stopping, make_trial, lambda *_: None, ended)
    agenda.start()
    queue: list[tuple[float, int, str, Any]] = []
    clock, count = 0.0, 0
    while True:
        while len(queue) < concurrent and desk.start_trial(str(count)) is not None:
            reports = _reports(desk.started[-1], population, simulator, trained)
            heapq.heappush(queue, (clock + next(reports), count, str(count), reports))
            count += 1
        if not queue:
            break
        clock, order, trial, reports = heapq.heappop(queue)
        record = next(reports)
        if record is None:
            desk.on_trial_complete(trial, {"ended": "done", "sentence": ""}, error=False)
        elif desk.should_stop(trial, record):
            desk.on_trial_complete(trial, record, error=False)
        else:
            desk.on_result(trial, record)
            heapq.heappush(queue, (clock + next(reports), order, trial, reports))
    best = front.find_best(request, books.study)
    assert best is not None
    chosen = targets.load_chain(population, request.chains_of(best.best[0][1])[0])
    error = final_error(chosen.planned.chain.network, len(chosen.members) - 1)
    return Result(sum(trained.values()), error, len(books.tracker.stopped))


def _reports(planned: PlannedChain, population: Population, simulator: Simulator, trained: dict[str, int]) -> Any:
    """Turns of epochs to wait and the report that follows, None at the end."""
    for number, generation in enumerate(planned.chain.generations):
        if generation.key in population:
            yield 0.0
            yield {"generation": number, "key": generation.key, "taken": True}
            continue
        records: list[dict[str, Any]] = []
        rung = generation.recipe.rung_epoch or 0
        if rung:
            trained[generation.key] = rung
            yield float(rung)
            yield simulator.at_rung(generation, number)
        yield float(generation.recipe.epochs - rung)
        trained[generation.key] = generation.recipe.epochs
        simulator.train(population, generation, number, records.append)
        yield records[-1]
    yield 0.0
    yield None
