"""A chain as a call: a table of generations, of images and of text."""

import inspect
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.search import api
from ban_ray.search.api import NOT_KEYWORDS, train_chain
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.search import SearchResult
from tests.helpers.fabricated_population import Fabricator

CALLS = """
import json
from ban_ray.search.api import train_chain

images = train_chain("densenet-bc-10-4", generations=1, seeds=[0], epochs=2, storage="runs")
text = train_chain("lstm-1-8", task="text", data="words", tokens="char", generations=0, seeds=[0], epochs=1,
                   batch_size=4, objective="ban+l", storage="runs")
print(json.dumps([images.to_dict("records"), text.to_dict("records")]))
"""


@pytest.mark.ray
def test_rows_are_the_members(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "words").mkdir()
    for part, lines in (("train", 60), ("valid", 20), ("test", 20)):
        (tmp_path / "words" / f"{part}.txt").write_text("to be or not to be\n" * lines)
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    images, text = json.loads(done.stdout.splitlines()[-1])
    population = Population(open_storage(str(tmp_path / "runs")))
    for row in images:
        member = population[row["key"]]
        assert (row["seed"], row["network"], row["parameters"]) == (0, "densenet-bc-10-4", member.parameters)
        assert row["test_error"] == member.metrics.test_error
        assert row["held_out_error"] == member.metrics.held_out_error
        assert row["seconds"] == member.provenance["seconds"]
    assert [row["generation"] for row in images] == [0, 1]
    assert [row["objective"] for row in images] == ["label", "ban+l"]
    assert images[0]["test_gain"] == 0
    assert images[1]["test_gain"] == pytest.approx(images[1]["test_error"] - images[0]["test_error"])
    (row,) = text
    member = population[row["key"]]
    assert row["test_bits_per_character"] == pytest.approx(-member.metrics.test_log_likelihood / math.log(2))
    assert row["held_out_bits_per_character"] > 0
    assert "test_error" not in row


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"network": "resnet"}, "resnet"),
        ({"epochs": 0}, "--epochs 0: input should be greater than or equal to 1"),
        ({"objective": "kd"}, "--objective 'kd'"),
        ({"task": "folder"}, "--data"),
        ({"cpus_per_worker": 0}, "--cpus-per-worker 0: input should be greater than or equal to 1"),
        ({"concurrent": -1}, "--concurrent -1: input should be greater than or equal to 1"),
        ({"gpus_per_worker": -0.5}, "--gpus-per-worker -0.5: input should be greater than or equal to 0"),
        ({"gpus_per_worker": math.inf}, "--gpus-per-worker inf: input should be a finite number"),
        ({"generations": -1}, "--generations -1: input should be greater than or equal to 0"),
        ({"workers": 0}, "--workers 0: input should be greater than or equal to 1"),
        ({"seeds": []}, "--seeds"),
        ({"learning_rate": 0.1}, "unknown option 'learning_rate'; allowed are "),
        ({"recipe": {"learning_rate": 0}}, "--set recipe.learning_rate=0: input should be greater than 0"),
        ({"recipe": {"clip": math.nan}}, "--set recipe.clip nan: input should be a finite number"),
        ({"recipe": {"lr": 1}}, "--set recipe.lr=1: there is no field 'recipe.lr'; the nearest: "),
        ({"recipe": "fast"}, "--recipe 'fast' is unknown; allowed are cnn-lstm, fine-tune"),
        ({"recipe": {"epochs": 3}, "epochs": 4}, "--set recipe.epochs=3 and --epochs 4 differ"),
        ({"objective": {"name": "kd"}}, "--set objective.name=kd: unknown objective 'kd'"),
        ({"search": {"recipe.learning_rate": "1..0"}}, "1..0: input should be greater than 0"),
        ({"search": {"recipe.precision": ["fp32"]}}, "at least 2 different values are needed"),
        ({"search": {"recipe.precision": 3}}, "a text or a list of values is needed"),
        ({"pretrained": "no.safetensors"}, "--pretrained 'no.safetensors' is no file"),
        ({"task": {"name": "digit"}}, "--task 'digit' is unknown"),
        ({"task": {"normalise": [[0.5], [0]]}}, "a list of means and one of deviations above 0 are needed"),
        ({"task": {"name": "digits", "normalise": [[0, 0], [1, 1]]}}, "has values for 2 channels, and images of task"),
        ({"task": {"name": "digit", "normalise": [[0], [1]]}}, "--task 'digit' is unknown"),
        ({"task": {"label_noise": 0.1}}, "an option of its own: --label-noise"),
        ({"settings": {"recipe.epochs": 3}}, "train_chain takes no settings"),
        ({"space": "chain"}, "train_chain takes no space"),
        ({"plan_only": True}, "train_chain takes no plan_only"),
    ],
)
def test_what_cannot_be_used_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        train_chain(**{"network": "densenet-bc-10-4", **options})
    assert reason in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_call_without_any_generation_raises_the_first_reason(tmp_path: Path) -> None:
    spec = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0, 1)))
    failed = [(planned, f"seed {planned.seed}: its loss is not finite") for planned in spec.chains]
    result = SearchResult(spec, Population(open_storage(str(tmp_path))), "chain", failed)
    with pytest.raises(RuntimeError, match=r"densenet-bc-10-4 seed 0: seed 0: its loss is not finite$"):
        api._frame(result)


def test_a_gain_is_below_zero(tmp_path: Path) -> None:
    """As in every table; without the baseline it is not known."""
    fabricator = Fabricator(Population(open_storage(str(tmp_path))))
    spec = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0, 1), generations=1))
    for planned in spec.chains:
        for number, generation in enumerate(planned.chain.generations):
            if planned.seed == 0 or number:
                fabricator.publish(generation, strength=3.0 * number)
    frame = api._frame(SearchResult(spec, fabricator.population, "chain", []))
    baseline, student, orphan = frame.to_dict("records")
    assert baseline["test_gain"] == 0
    assert student["test_gain"] == pytest.approx(student["test_error"] - baseline["test_error"])
    assert student["test_gain"] < 0
    assert orphan["generation"] == 1 and math.isnan(orphan["test_gain"])


def test_searched_fields_are_columns_and_set_ones_are_in_the_chains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricator = Fabricator(Population(open_storage(str(tmp_path))))

    def fabricated(options: SearchOptions) -> SearchResult:
        spec = resolve(options)
        rates = (0.02, 0.2)
        chains = tuple(chain for rate in rates for chain in spec.chains_of({"recipe.learning_rate": rate}))
        for generation in (generation for planned in chains for generation in planned.chain.generations):
            fabricator.publish(generation, strength=3.0)
        return SearchResult(replace(spec, chains=chains), fabricator.population, "chain", [])

    monkeypatch.setattr(api, "search", fabricated)
    frame = train_chain(
        "densenet-bc-10-4",
        recipe={"weight_decay": 0, "learning_rate_drops": (0.5,), "clip": None},
        objective={"name": "ban", "temperature": 4},
        search={"recipe.learning_rate": "0.01..0.3:log"},
        seeds=[0],
        generations=1,
        storage=str(tmp_path),
    )
    assert frame["recipe.learning_rate"].tolist() == [0.02, 0.02, 0.2, 0.2]
    assert frame["objective"].tolist() == ["label", "ban:temperature=4"] * 2
    for row in frame.to_dict("records"):
        recipe = fabricator.population[row["key"]].generation.recipe
        assert recipe.learning_rate == row["recipe.learning_rate"]
        assert (recipe.weight_decay, recipe.learning_rate_drops, recipe.clip) == (0, (0.5,), None)


def test_every_option_of_a_chain_is_an_argument() -> None:
    parameters = inspect.signature(train_chain).parameters
    assert next(iter(parameters)) == "network"
    assert parameters.keys() == (SearchOptions.model_fields.keys() | {"recipe"}) - NOT_KEYWORDS
    assert parameters["storage"].default == "./ban_runs"
    assert parameters["epochs"].default is None
