"""`import`, `replay` and `export` of a network of the user's own whose code changes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ban_ray.population import Population
from ban_ray.specs import Generation, Objective, Recipe, Task
from tests.helpers.population_command import REPOSITORY, SEARCH, Command, train

BUILDER = """\
from torch import nn

def build(num_classes, in_channels):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, num_classes))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, "own_code_of_a_member", BUILDER)
    return "own_code_of_a_member"


def write(folder: Path, module: str, text: str) -> None:
    (folder / f"{module}.py").write_text(text)
    sys.modules.pop(module, None)


def test_an_import_has_its_codes_version(command: Command, population: Population, module: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10))
    save_file(layers.state_dict(), tmp_path / "mine.safetensors")

    def imported(*options: str) -> str:
        network = ("--network", f"{module}:build", "--task", "digits", *SEARCH, *options)
        done = command("import", tmp_path / "mine.safetensors", *network, "--storage", population.storage.url)
        assert (done.status, done.err) == (0, "")
        return done.out.splitlines()[0].split()[-1]

    keys = [imported(), imported("--network-version", "2"), imported("--network-version", "")]
    versions = [population[key].generation.network_version for key in keys]
    assert versions[0].startswith("source:")
    assert versions[1:] == ["2", ""]
    write(tmp_path, module, BUILDER.replace("ReLU", "Tanh"))
    assert imported("--network-version", "2") == keys[1]
    assert imported() not in keys


@pytest.fixture
def member(population: Population, task: Task, module: str) -> str:
    """The key of one whose version was pinned."""
    return trained(population, task, module, "2")


def trained(population: Population, task: Task, module: str, version: str) -> str:
    generation = Generation(
        task=task,
        network=f"{module}:build",
        network_version=version,
        recipe=Recipe(epochs=1, batch_size=100),
        objective=Objective(name="label"),
        seed=0,
    )
    assert train(population, (generation,)) == "done"
    return generation.key


def loaded(folder: Path, modules: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(folder / "load.py")],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{modules}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_pinned_member_that_does_not_fit_any_more(
    command: Command, population: Population, member: str, module: str, tmp_path: Path
) -> None:
    assert command("export", member, tmp_path / "out", "--storage", population.storage.url).status == 0
    assert loaded(tmp_path / "out", tmp_path).stdout == "610 parameters\n"
    write(tmp_path, module, BUILDER.replace("8", "9"))
    done = command("replay", member, "--storage", population.storage.url)
    assert done.status == 1
    assert "weights: other names or shapes" in done.out
    told = loaded(tmp_path / "out", tmp_path).stderr.splitlines()[-1]
    assert told.endswith(
        f"UserError: weights.safetensors does not fit {module}:build: it has another shape for 1.weight and 2 more"
    )


def test_a_member_of_other_code_is_neither_replayed_nor_loaded(
    command: Command, population: Population, task: Task, module: str, tmp_path: Path
) -> None:
    from ban_ray.networks.families.custom import CustomNetwork
    from ban_ray.networks.registry import parse
    from ban_ray.networks.source_version import source_version

    network = parse(f"{module}:build")
    assert isinstance(network, CustomNetwork)
    key = trained(population, task, module, source_version(network))
    assert command("export", key, tmp_path / "out", "--storage", population.storage.url).status == 0
    assert loaded(tmp_path / "out", tmp_path).returncode == 0
    write(tmp_path, module, BUILDER.replace("ReLU", "Tanh"))
    done = command("replay", key, "--storage", population.storage.url)
    assert (done.status, done.out) == (2, "")
    assert f"{source_version(network)} here and was source:" in done.err
    assert len(done.err.splitlines()) == 1
    assert "the member was trained" in loaded(tmp_path / "out", tmp_path).stderr.splitlines()[-1]
