"""Configurations that make the same chain: told of, counted once, and never the best of each other."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.search.config import spaces
from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.config.strategy import SAMPLERS
from ban_ray.search.plan.equal_chains import equal_chains_sentence
from ban_ray.search.study import best as front
from ban_ray.specs import Network, SpaceContext, TablePosition, Task, digest
from ban_ray.specs.parameters import continuous, grid, sample
from tests.search.conftest import Command
from tests.search.test_sampling import carry_out, opened, train
from tests.search.test_stopping_rules import at_end, judge, planned

SPACE = """
from dataclasses import replace
from ban_ray.specs import Choice, Place
from tests.benchmarks import simulated_space as simulated

def chain(configuration, setting, seed):
    return simulated.chain({"depth": 10, "compression": 0.5, **configuration}, setting, seed)

SPACE = replace(simulated.SPACE, name="equal", chain=chain, scales={"laptop": replace(
    simulated.SPACE.scales["laptop"], seeds=(0, 1), generations=1, samples=SAMPLES,
    parameters={"growth": Choice(GROWTHS), "dropout": Choice((0.1, 0.2, 0.3))},
)})
"""


def write_space(folder: Path, *growths: int) -> str:
    """A space of three configurations for each growth, by a parameter without effect."""
    text = SPACE.replace("GROWTHS", str(growths)).replace("SAMPLES", str(3 * len(growths)))
    (folder / "equal.py").write_text(text)
    return str(folder / "equal.py")


@pytest.fixture
def population(tmp_path: Path) -> Population:
    return Population(open_storage(str(tmp_path / "ban_runs")))


def request(folder: Path, *growths: int, **given: Any) -> SearchSpec:
    return resolve(Options(write_space(folder, *growths), **{"stopping": False, **given}))


def test_how_many_and_a_pair_of_them(tmp_path: Path) -> None:
    assert equal_chains_sentence(request(tmp_path, 8, 16, sampler="grid").chains) == (
        '6 of 6 configurations make the same chain as another one, such as {"growth": 8, "dropout": 0.1} and '
        '{"growth": 8, "dropout": 0.2}, where dropout has no effect; 2 chains are different.'
    )
    alike = request(tmp_path, 8, sampler="grid").chains
    assert equal_chains_sentence(alike) == (
        'All 3 configurations make the same chain, such as {"growth": 8, "dropout": 0.1} and '
        '{"growth": 8, "dropout": 0.2}, where dropout has no effect.'
    )
    assert not equal_chains_sentence(alike[:2]), "the seeds of one configuration"
    other = replace(alike[3], chain=planned(0).chain)
    assert not equal_chains_sentence([*alike[:3], other]), "at one seed alone it is not the same"


@pytest.mark.parametrize(
    ("name", "scale_name"),
    [(name, scale) for name in spaces.names() for scale in spaces.load(name).scales],
)
def test_no_shipped_space_is_told_of(name: str, scale_name: str) -> None:
    space = spaces.load(name)
    scale = space.scales[scale_name]
    task = Task(name=scale.task, fingerprint="0" * 64, protocol=scale.protocol)
    network = Network("densenet-bc-16-8") if space.takes_network else None
    setting = SpaceContext(scale_name, task, scale.recipe, scale.objective, scale.generations, network=network)
    configurations = scale.configurations or (
        [sample(scale.parameters, random.Random(number)) for number in range(200)]
        if continuous(scale.parameters)
        else list(grid(scale.parameters))
    )
    chains = [PlannedChain(one, 0, space.chain(one, setting, 0), TablePosition("", ())) for one in configurations]
    assert len(chains) == len({digest(dict(one)) for one in configurations}) > 0
    assert not equal_chains_sentence(chains)


def test_a_plan_tells_of_a_grid(search: Command, tmp_path: Path) -> None:
    run = search("--space", write_space(tmp_path, 4, 6), "--sampler", "grid", "--plan", "--json")
    assert run.status == 0, run.err
    assert "6 of 6 configurations make the same chain as another one, such as" in run.err
    assert run.json["equal_chains"].endswith("where dropout has no effect; 2 chains are different.")


@pytest.mark.parametrize("sampler", SAMPLERS[1:])
def test_the_best_of_equal_chains_is_one(tmp_path: Path, population: Population, sampler: str) -> None:
    asked = request(tmp_path, 8, 16, sampler=sampler)
    books = opened(population, asked)
    chains = carry_out(population, books)
    assert books.sampled is not None
    assert len(books.sampled.chains) == 6 * 2
    assert len(chains) == 2 * 2, "two of the samples are trained, at two seeds, and all are told"
    best = front.find_best(asked, books.study)
    assert best is not None
    assert (best.num_finished, best.different, len(best.best)) == (6, 2, 1)


def test_of_one_chain_alone_nothing_is_the_best(tmp_path: Path, population: Population) -> None:
    asked = request(tmp_path, 8, minimise="error,parameters")
    books = opened(population, asked)
    carry_out(population, books, 1)
    alone = front.find_best(asked, books.study)
    assert alone is not None
    assert (alone.num_finished, len(alone.best)) == (1, 1), "one configuration alone is compared with none"
    carry_out(population, books)
    best = front.find_best(asked, books.study)
    assert best is not None
    assert (best.num_finished, best.different, best.best) == (3, 1, ())


@pytest.mark.parametrize(
    ("growths", "told", "equal"),
    [
        ((8,), "None of 3 finished configurations is the best: all of them make the same chain", "All 3"),
        ((8, 16), "Best of 6 finished configurations, which make 2 different chains; error is", "6 of 6"),
    ],
)
def test_a_sampled_search_tells_of_them(
    search: Command, tmp_path: Path, population: Population, growths: tuple[int, ...], told: str, equal: str
) -> None:
    """Every chain is there, so that nothing is trained."""
    for chain in request(tmp_path, *growths, sampler="grid").chains:
        train(population, chain)
    arguments = ("--space", write_space(tmp_path, *growths), "--samples", "1")
    run = search(*arguments)
    assert run.status == 0, run.err
    assert told in run.out
    assert f"{equal} configurations make the same chain" in run.out
    written = search(*arguments, "--json").json
    assert len(written["front"]) == len(growths) - 1
    assert written["different_chains_finished"] == len(growths)
    assert written["equal_chains"].startswith(equal)


def test_equal_chains_stand_at_a_rung_once() -> None:
    """Three of five that are better end a chain; one that stands there three times does not."""

    def stopped(*better: PlannedChain) -> bool:
        judging = judge()
        for other in better:
            judging.on_report(other, at_end(other, 1, 10.0))
        judging.on_report(planned(3), at_end(planned(3), 1, 12.0))
        return judging.on_report(planned(4), at_end(planned(4), 1, 11.0)) is not None

    assert stopped(planned(0), planned(1), planned(2))
    assert not stopped(planned(0), *(replace(planned(0), configuration={"number": number}) for number in (1, 2)))
