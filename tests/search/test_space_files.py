"""The space files: the papers' rows at their scale, and what `does_it_help` trains beside its chains."""

import sys
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Population
from ban_ray.search.config import spaces
from ban_ray.search.config.choices import Options
from ban_ray.search.config.resolve import resolve
from ban_ray.search.study.records import resolve_name
from ban_ray.specs import ALL_EPOCHS, DOUBLED, SMOOTHED, Chain, Network, SearchSpace, SpaceContext, Task, independent
from tests.search.conftest import Command

DISTINCT = {
    "densenet_grid": 15,
    "match_resnet": 16,
    "match_densenet": 8,
    "objectives": 20,
    "cifar10": 16,
    "wide_resnet_teachers": 12,
}
"""Generations of the papers' tables; a teacher that several rows share counts once."""


def paper_chains(space: SearchSpace) -> dict[str, list[Chain]]:
    """Chains at the papers' scale, by row."""
    scale = space.scales["paper"]
    task = Task(name=scale.task, fingerprint="0" * 64, protocol=scale.protocol)
    setting = SpaceContext("paper", task, scale.recipe, scale.objective, scale.generations)
    rows: dict[str, list[Chain]] = {}
    for configuration in scale.configurations:
        chain = space.chain(configuration, setting, scale.seeds[0])
        rows.setdefault(space.place(configuration, chain).row, []).append(chain)
    return rows


def keys(rows: dict[str, list[Chain]]) -> set[str]:
    return {key for chains in rows.values() for chain in chains for key in chain.keys}


@pytest.mark.parametrize("name", DISTINCT)
def test_the_papers_rows(name: str) -> None:
    space = spaces.load(name)
    rows = paper_chains(space)
    assert {row.network for row in space.paper} == set(rows)
    assert len(keys(rows)) == DISTINCT[name]
    for chains in rows.values():
        for chain in chains:
            assert {generation.recipe.epochs for generation in chain.generations} == {200}
            assert {generation.task.protocol for generation in chain.generations} == {"paper"}


def test_both_match_spaces_share_their_teacher() -> None:
    together = [keys(paper_chains(spaces.load(name))) for name in ("match_resnet", "match_densenet")]
    assert len(together[0] | together[1]) == DISTINCT["match_resnet"] + DISTINCT["match_densenet"] - 1


def test_does_it_help_trains_both_objectives_and_its_controls_from_one_baseline() -> None:
    request = resolve(Options("does_it_help", network="densenet-bc-10-4", generations=3, seeds=(0, 5)))
    by_row = {(planned.position.row, planned.seed): planned.chain for planned in request.chains}
    chain = resolve(Options("chain", network="densenet-bc-10-4", generations=3, seeds=(5,))).chains[0].chain
    assert by_row["ban+l", 5].keys == chain.keys
    baseline = chain.generations[0]
    assert by_row["ban", 5].keys[0] == baseline.key
    assert [str(generation.objective) for generation in by_row["ban", 5].generations] == ["label", "ban", "ban", "ban"]

    changed = {DOUBLED: {"objective"}, SMOOTHED: {"objective"}, ALL_EPOCHS: {"recipe"}}
    changed |= {name: {"seed"} for name in independent(3)}
    for name, fields in changed.items():
        (control,) = by_row[name, 5].generations
        mine, first = control.model_dump(), baseline.model_dump()
        assert {field for field in mine if mine[field] != first[field]} == fields, name
    assert by_row[DOUBLED, 5].generations[0].objective.label_weight == 2
    assert by_row[SMOOTHED, 5].generations[0].objective.label_smoothing == 0.1
    assert by_row[ALL_EPOCHS, 5].generations[0].recipe.epochs == 4 * baseline.recipe.epochs
    seeds = {by_row[name, seed].generations[0].seed for name in ("ban", *independent(3)) for seed in (0, 5)}
    assert len(seeds) == 8
    assert len(by_row) == 2 * (2 + len(changed))


def test_controls_are_of_the_users_own_network() -> None:
    space = spaces.load("does_it_help")
    scale = space.scales["laptop"]
    network = Network("my_module:build", {"width": 3}, "second try")
    task = Task(name="digits", fingerprint="0" * 64)
    setting = SpaceContext("laptop", task, scale.recipe, scale.objective, 1, None, network)
    for configuration in scale.configurations:
        for generation in space.chain(configuration, setting, 0).generations:
            assert generation.network == "my_module:build"
            assert dict(generation.network_arguments) == {"width": 3}
            assert generation.network_version == "second try"


HEAD = """\
from __future__ import annotations

from dataclasses import dataclass, replace

from search_spaces.densenet_grid import SPACE as GRID


@dataclass(frozen=True)
class Mine:
    width: int = 3

"""


def test_a_file_may_define_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nSPACE = replace(GRID, title=str(Mine()))\n")
    assert spaces.load(str(tmp_path / "mine.py")).title == "Mine(width=3)"
    assert "_space_mine" not in sys.modules, "what other processes cannot import"


@pytest.mark.parametrize("part", ["chain", "place"])
def test_a_space_that_fails_says_where(tmp_path: Path, part: str) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nSPACE = replace(GRID, {part}=lambda *_: {{}}['gone'])\n")
    with pytest.raises(UserError, match=r"space densenet_grid at .*KeyError: 'gone'"):
        resolve(Options(space=str(tmp_path / "mine.py"), seeds=(0,)))


UNKNOWN = "recipe.model_copy(update={'lr': 0.2})"
WITHIN = "space densenet_grid at {'depth': 16, 'growth': 8}: "


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"SPACE = replace(GRID, chain=lambda _, setting, __: setting.{UNKNOWN})", f"{WITHIN}lr = 0.2 is no field of"),
        (f"SPACE = replace(GRID, place=lambda _, chain: chain.generations[0].{UNKNOWN})", f"{WITHIN}lr = 0.2 is no"),
        ("SPACE = replace(GRID, chain=lambda *_: Recipe(lr=0.2))", f"{WITHIN}Recipe.lr = 0.2: extra inputs are not"),
        ("SPACE = replace(GRID, chain=lambda *_: Recipe(epochs=0))", f"{WITHIN}Recipe.epochs = 0: input should be"),
        ("BASE = Recipe().model_copy(update={'lr': 0.2})", "mine.py' cannot be run: lr = 0.2 is no field of"),
        (
            "BASE = Recipe().model_copy(update={'epochs': 0})",
            "mine.py' cannot be run: Recipe.epochs = 0: input should be",
        ),
        ("BASE = Recipe(lr=0.2)", "mine.py' cannot be run: Recipe.lr = 0.2: extra inputs are not permitted"),
    ],
)
def test_an_unknown_field_is_one_sentence(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nfrom ban_ray.specs import Recipe\n\nSPACE = GRID\n{line}\n")
    with pytest.raises(UserError) as raised:
        resolve(Options(space=str(tmp_path / "mine.py"), seeds=(0,)))
    assert told in str(raised.value)
    assert "lr = 0.2" in str(raised.value) or "epochs = 0" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_sampled_space_with_an_unknown_field_does_not_start(search: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\n"
        "from ban_ray.specs import FloatRange\n"
        "from search_spaces.recipe_search import SPACE as SEARCH\n"
        "def chain(configuration, setting, seed):\n"
        "    recipe = setting.recipe.model_copy(update={'lr': configuration['lr']})\n"
        "    return SEARCH.chain({**configuration, 'objective': 'ban', 'learning_rate': 0.1, 'weight_decay': 0},\n"
        "                        replace(setting, recipe=recipe), seed)\n"
        "laptop = replace(SEARCH.scales['laptop'], parameters={'lr': FloatRange(0.01, 1, log=True)})\n"
        "SPACE = replace(SEARCH, name='mine', chain=chain, scales={'laptop': laptop})\n"
    )
    run = search("--space", "mine.py")
    assert run.status == 2, run.err
    assert "Error: space mine at {'lr': " in run.err
    assert "is no field of Recipe; allowed are epochs, batch_size, learning_rate, " in run.err
    assert "Traceback" not in run.err
    assert not (tmp_path / "ban_runs" / "searches").exists()


@pytest.mark.parametrize("text", ["[]", "null", '{"identity": 3}', "{"])
def test_a_search_json_that_is_none_is_one_sentence(population: Population, text: str) -> None:
    population.storage.write("searches/mine/search.json", text.encode())
    with pytest.raises(UserError, match=r"searches/mine/search.json .* is damaged"):
        resolve_name(population.storage, resolve(Options(space="densenet_grid", seeds=(0,))), "mine")
