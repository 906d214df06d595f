"""Configurations that make the same chain: mentioned, counted once, and never the best of each other."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.search.config import spaces
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import PlannedChain, SearchSpec
from ban_ray.search.plan.equal_chains import equal_chains_sentence
from ban_ray.search.samplers import SAMPLERS
from ban_ray.search.study.best import find_best
from ban_ray.search.teachers.decisions import read_decisions
from ban_ray.specs import Network, SpaceContext, TablePosition, Task
from ban_ray.specs.parameters import configuration_id, continuous, grid, sample
from tests.helpers.chains import plan_chain
from tests.helpers.command import Command
from tests.helpers.simulated import open_state, train, train_proposals

SPACE = """
from dataclasses import replace
from ban_ray.specs import Choice
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


def spec_of(folder: Path, *growths: int, **options: Any) -> SearchSpec:
    return resolve(SearchOptions(space=write_space(folder, *growths), **{"stopping": False, **options}))


def test_how_many_and_a_pair_of_them(tmp_path: Path) -> None:
    assert equal_chains_sentence(spec_of(tmp_path, 8, 16, sampler="grid").chains) == (
        '6 of 6 configurations make the same chain as another one, such as {"growth": 8, "dropout": 0.1} and '
        '{"growth": 8, "dropout": 0.2}, where dropout has no effect; 2 chains are different.'
    )
    alike = spec_of(tmp_path, 8, sampler="grid").chains
    assert equal_chains_sentence(alike) == (
        'All 3 configurations make the same chain, such as {"growth": 8, "dropout": 0.1} and '
        '{"growth": 8, "dropout": 0.2}, where dropout has no effect.'
    )
    assert not equal_chains_sentence(alike[:2]), "the seeds of one configuration"
    other = replace(alike[3], chain=plan_chain(0).chain)
    assert not equal_chains_sentence([*alike[:3], other]), "at one seed alone it is not the same"


@pytest.mark.parametrize(
    ("name", "scale_name"),
    [(name, scale) for name in spaces.names() for scale in spaces.load(name).scales],
)
def test_no_shipped_space_has_any(name: str, scale_name: str) -> None:
    space = spaces.load(name)
    scale = space.scales[scale_name]
    task = Task(name=scale.task, fingerprint="0" * 64, protocol=scale.protocol)
    network = Network("densenet-bc-16-8") if space.takes_network else None
    context = SpaceContext(scale_name, task, scale.recipe, scale.objective, scale.generations, network=network)
    configurations = scale.configurations or (
        [sample(scale.parameters, random.Random(number)) for number in range(200)]
        if continuous(scale.parameters)
        else list(grid(scale.parameters))
    )
    decisions = read_decisions("parent", space, scale)
    chains = []
    for configuration in configurations:
        # Teachers that are sampled are members of the population.
        teachers = decisions.of(configuration, 0)
        taught = context if teachers is None else replace(context, teachers=teachers.keys)
        chains.append(PlannedChain(configuration, 0, space.chain(configuration, taught, 0), TablePosition("", ())))
    assert len(chains) == len(set(map(configuration_id, configurations))) > 0
    assert not equal_chains_sentence(chains)


@pytest.mark.usefixtures("without_measuring")
def test_a_plan_mentions_those_of_a_grid(search_here: Command, tmp_path: Path) -> None:
    run = search_here("--space", write_space(tmp_path, 4, 6), "--sampler", "grid", "--plan", "--json")
    assert run.status == 0, run.err
    assert "6 of 6 configurations make the same chain as another one, such as" in run.err
    assert run.json["equal_chains"].endswith("where dropout has no effect; 2 chains are different.")


@pytest.mark.parametrize("sampler", [name for name, sampler in SAMPLERS.items() if not sampler.is_exhaustive])
def test_the_best_of_equal_chains_is_one(tmp_path: Path, population: Population, sampler: str) -> None:
    spec = spec_of(tmp_path, 8, 16, sampler=sampler)
    state = open_state(population, spec)
    chains = train_proposals(population, state)
    assert len(state.configurations.chains) == 6 * 2
    assert len(chains) == 2 * 2, "two of the samples are trained, at two seeds, and all are told"
    best = find_best(spec, state.study)
    assert best is not None
    assert (best.num_complete, best.num_different_chains, len(best.front)) == (6, 2, 1)


def test_of_one_chain_alone_nothing_is_the_best(tmp_path: Path, population: Population) -> None:
    spec = spec_of(tmp_path, 8, minimise="error,parameters")
    state = open_state(population, spec)
    train_proposals(population, state, 1)
    alone = find_best(spec, state.study)
    assert alone is not None
    assert (alone.num_complete, len(alone.front)) == (1, 1), "one configuration alone is compared with none"
    train_proposals(population, state)
    best = find_best(spec, state.study)
    assert best is not None
    assert (best.num_complete, best.num_different_chains, best.front) == (3, 1, ())


@pytest.mark.parametrize(
    ("growths", "best", "equal"),
    [
        ((8,), "None of 3 finished configurations is the best: all of them make the same chain", "All 3"),
        ((8, 16), "Best of 6 finished configurations, which make 2 different chains; error is", "6 of 6"),
    ],
)
def test_a_sampled_search_mentions_them(
    search_here: Command, tmp_path: Path, population: Population, growths: tuple[int, ...], best: str, equal: str
) -> None:
    """Every chain is there, so that nothing is trained."""
    for chain in spec_of(tmp_path, *growths, sampler="grid").chains:
        train(population, chain)
    arguments = ("--space", write_space(tmp_path, *growths), "--samples", "1")
    run = search_here(*arguments)
    assert run.status == 0, run.err
    assert best in run.out
    assert f"{equal} configurations make the same chain" in run.out
    written = search_here(*arguments, "--json").json
    assert len(written["front"]) == len(growths) - 1
    assert written["different_chains_finished"] == len(growths)
    assert written["equal_chains"].startswith(equal)
