"""A search over fields of the recipe and the objective of a network of one's own, without a space file."""

import json
from pathlib import Path
from typing import Any

import pytest

from ban_ray.population import Population, find_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.specs.fields.context import value_in
from tests.golden import own_network
from tests.helpers.command import Command

OWN = ("--space", "chain", "--network", "mine:build", "--network-args", '{"width": 2}')
SMALL = ("--generations", "1", "--epochs", "1", "--seeds", "0", "--no-stopping", "--concurrent", "1")
SEARCHED = (
    *("--search", "recipe.learning_rate=0.01..0.3:log", "--search", "recipe.weight_decay=0..0.01:step=0.001"),
    *("--search", "objective.temperature=1..8", "--set", "recipe.momentum=0.8"),
)
NAMES = ("recipe.learning_rate", "recipe.weight_decay", "objective.temperature")


def recorded(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((folder / "chains").iterdir())]


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_twelve_samples_of_an_own_network(search: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(Path(own_network.__file__).read_text())
    run = search(*OWN, *SMALL, *SEARCHED, "--json", timeout_s=600)
    assert run.status == 0, run.err
    result, folder = run.json, tmp_path / "ban_runs" / "searches" / "chain"
    assert result["configurations_finished"] == 12 and result["trained"] == 24
    population, chains = Population(find_storage(str(tmp_path / "ban_runs"))), recorded(folder)
    assert len(chains) == 12
    for chain in chains:
        configuration, student = chain["configuration"], population[chain["keys"][1]].generation
        assert configuration.keys() == set(NAMES)
        assert {name: value_in(student, name) for name in NAMES} == configuration
        assert student.recipe.momentum == 0.8 and population[chain["keys"][0]].generation.recipe == student.recipe
        assert f"learning rate {configuration['recipe.learning_rate']:.4g}" in chain["row"]
    assert len({row["network"] for row in result["rows"]}) == 12, "a row for each configuration"
    fields = "set: recipe.momentum 0.8; searched: recipe.learning_rate 0.01 to 0.3, by its logarithm"
    assert fields in result["regime"] and fields in (folder / "report" / "index.html").read_text()

    again = search("--config", str(folder / "search.toml"), "--json")
    assert again.status == 0, again.err
    assert again.json["trained"] == 0 and again.json["front"] == result["front"]

    best = result["front"][0]["configuration"]
    given = [f"{name}={best[name]!r}" for name in NAMES]
    options = {"network_args": OWN[-1], "generations": 1, "epochs": 1, "seeds": "0"}
    spec = resolve(
        SearchOptions.model_validate(
            {"space": "chain", "network": OWN[3], **options, "settings": [*given, "recipe.momentum=0.8"]}
        )
    )
    assert all(key in population for key in spec.chains[0].chain.keys), "set by hand it is the same chain"
