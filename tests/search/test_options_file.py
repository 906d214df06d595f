"""A search's options from a file: the command line wins, and what a search has written repeats it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ban_ray.cli.params import validated
from ban_ray.population import open_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.options_file import merge_options_file
from ban_ray.search.study import records
from tests.helpers.command import Command, write_space

FILE = """
space = "chain"
network = "densenet-bc-10-4"
seeds = [0, 1]
epochs = 5
objective = "ban:temperature=2"
[set]
recipe.learning_rate = 0.05
"recipe.weight_decay" = 0
[search]
recipe.clip = "1..5"
recipe.precision = ["fp32", "bf16"]
"""


def read(folder: Path, **typed: Any) -> SearchOptions:
    (folder / "options.toml").write_text(FILE)
    return validated(SearchOptions, merge_options_file(str(folder / "options.toml"), typed))


def test_a_file_is_what_would_be_typed(tmp_path: Path) -> None:
    options = read(tmp_path)
    assert options.seeds == (0, 1) and options.epochs == 5
    typed = SearchOptions.model_validate(
        {
            "space": "chain",
            "network": "densenet-bc-10-4",
            "seeds": "0,1",
            "epochs": 5,
            "objective": "ban:temperature=2",
            "settings": ["recipe.learning_rate=0.05", "recipe.weight_decay=0"],
            "search": ["recipe.clip=1..5", "recipe.precision=fp32,bf16"],
        }
    )
    assert records.search_identity(resolve(options)) == records.search_identity(resolve(typed))


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        ({"seeds": "3"}, {"seeds": (3,)}),
        (
            {"settings": ("recipe.weight_decay=1",)},
            {"settings": {"recipe.learning_rate": 0.05, "recipe.weight_decay": "1"}},
        ),
        ({"settings": ("recipe.epochs=2",)}, {"epochs": None}),
        ({"search": ("recipe.epochs=2,3",)}, {"epochs": None}),
        ({"search": ("recipe.learning_rate=1..2",)}, {"settings": {"recipe.weight_decay": 0}}),
        ({"settings": ("recipe.clip=3",)}, {"search": {"recipe.precision": ["fp32", "bf16"]}}),
        ({"objective": "ban+l"}, {"objective": "ban+l"}),
    ],
)
def test_the_command_line_wins(tmp_path: Path, typed: dict[str, Any], changed: dict[str, Any]) -> None:
    options = read(tmp_path, **typed)
    for name, value in changed.items():
        assert getattr(options, name) == value
    resolve(options)


def test_one_field_of_the_files_objective_is_typed_anew(tmp_path: Path) -> None:
    assert str(resolve(read(tmp_path, settings=("objective.temperature=4",))).context.objective) == "ban:temperature=4"
    searched = resolve(read(tmp_path, search=("objective.temperature=1..4",)))
    assert str(searched.context.objective) == "ban" and "objective.temperature" in searched.scale.parameters


@pytest.mark.parametrize(
    "given",
    [
        {"space": "densenet_grid"},
        {"space": "densenet_search", "samples": 3, "stopping": False, "minimise": "error,parameters", "as_json": True},
        {
            "space": "chain",
            "network": "torchvision:resnet18",
            "network_args": '{"norm_layer": null}',
            "seeds": "0,1",
            "teacher_cache": "2GiB",
            "cuda_graph": False,
            "label_noise": 0.25,
            "settings": {"recipe": {"clip": None, "learning_rate_drops": [0.5, 0.75]}, "objective.temperature": "4"},
            "search": ["recipe.weight_decay=1e-4..1e-1:log", "recipe.precision=fp32,bf16"],
        },
    ],
    ids=["few", "sampled", "many"],
)
def test_what_a_search_has_written_repeats_it(tmp_path: Path, given: dict[str, Any]) -> None:
    options = SearchOptions.model_validate({**given, "storage": str(tmp_path), "command": "typed"})
    storage = open_storage(str(tmp_path))
    file = tmp_path / "again.toml"
    file.write_text(records._options_as_toml(storage, options))
    again = validated(SearchOptions, merge_options_file(str(file), {}))
    left_out = {"command", "as_json", "plan_only", "yes"}
    assert again.model_dump(exclude=left_out) == options.model_dump(exclude=left_out)
    assert "as_json" not in again.model_fields_set


def test_paths_hold_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_space(tmp_path)
    spec = resolve(SearchOptions(space="tiny.py", storage="runs", working_dir="."))
    storage = open_storage(str(tmp_path / "runs"))
    records.write_search(storage, spec, "mine")
    written = tomllib.loads((tmp_path / "runs" / "searches" / "mine" / "search.toml").read_text())
    assert written == {
        "space": str(tmp_path / "tiny.py"),
        "storage": str(tmp_path / "runs"),
        "working-dir": str(tmp_path),
    }
    records.write_search(storage, resolve(SearchOptions(space="tiny.py", storage="runs", seeds=(5,))), "mine")
    written = tomllib.loads((tmp_path / "runs" / "searches" / "mine" / "search.toml").read_text())
    assert written["seeds"] == [5], "the newest options"


@pytest.mark.usefixtures("without_measuring")
def test_a_command_takes_a_file_and_says_what_it_sets_and_searches(search_here: Command, tmp_path: Path) -> None:
    (tmp_path / "options.toml").write_text(FILE)
    run = search_here("--config", "options.toml", "--seeds", "7", "--plan")
    assert run.status == 0, run.err
    assert (
        "set: recipe.learning_rate 0.05, recipe.weight_decay 0; searched: recipe.clip 1 to 5, recipe.precision"
        in run.out
    )
    assert "12 configurations by tpe, seeds 7, up to 36 generations" in run.out
    assert "recipe.clip" in run.out and "1 to 5" in run.out
    as_json = search_here("--config", "options.toml", "--plan", "--json").json
    assert [parameter["name"] for parameter in as_json["parameters"]] == ["recipe.clip", "recipe.precision"]
    assert "set: recipe.learning_rate 0.05" in as_json["regime"]
