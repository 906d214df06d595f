"""Space files: what they may define, and an error of their own code in one sentence."""

import sys
from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.search.config import spaces
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from tests.helpers.command import Command

HEAD = """\
from __future__ import annotations

from dataclasses import dataclass, replace

from search_spaces.densenet_grid import SPACE as GRID


@dataclass(frozen=True)
class Size:
    width: int = 3

"""


def test_a_file_may_define_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nSPACE = replace(GRID, title=str(Size()))\n")
    assert spaces.load(str(tmp_path / "mine.py")).title == "Size(width=3)"
    assert "_space_mine" not in sys.modules, "what other processes cannot import"


@pytest.mark.parametrize("part", ["chain", "place"])
def test_a_space_that_fails_says_where(tmp_path: Path, part: str) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nSPACE = replace(GRID, {part}=lambda *_: {{}}['gone'])\n")
    with pytest.raises(UserError, match=r"space densenet_grid at .*KeyError: 'gone'"):
        resolve(SearchOptions(space=str(tmp_path / "mine.py"), seeds=(0,)))


UNKNOWN = "recipe.model_copy(update={'lr': 0.2})"
WITHIN = "space densenet_grid at {'depth': 16, 'growth': 8}: "


@pytest.mark.parametrize(
    ("line", "reason"),
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
def test_an_unknown_field_is_one_sentence(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nfrom ban_ray.specs import Recipe\n\nSPACE = GRID\n{line}\n")
    with pytest.raises(UserError) as raised:
        resolve(SearchOptions(space=str(tmp_path / "mine.py"), seeds=(0,)))
    assert reason in str(raised.value)
    assert "lr = 0.2" in str(raised.value) or "epochs = 0" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_sampled_space_with_an_unknown_field_does_not_start(search_here: Command, tmp_path: Path) -> None:
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
    run = search_here("--space", "mine.py")
    assert run.status == 2, run.err
    assert "Error: space mine at {'lr': " in run.err
    assert "is no field of Recipe; allowed are epochs, batch_size, learning_rate, " in run.err
    assert "Traceback" not in run.err
    assert not (tmp_path / "ban_runs" / "searches").exists()
