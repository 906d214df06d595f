"""`import` of a network trained elsewhere, `export` of a member, `replay`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ban_ray.population import ImportedGeneration, Member, Population, open_storage
from ban_ray.population.commands.export_card import card
from ban_ray.population.maintenance.verify import verify
from ban_ray.population.publishing import publish
from ban_ray.population.teaching import parse_policy
from ban_ray.search.teachers.chosen_once import select_teachers
from ban_ray.specs import Generation, Objective, Recipe, Task, born_again
from ban_ray.tasks.image_data import ImageData
from ban_ray.tasks.source import Source
from ban_ray.tasks.task_type import InputDescription
from tests.helpers.local_jobs import images_predictions, run_job
from tests.helpers.members import add
from tests.helpers.population_command import NETWORK, REPOSITORY, SEARCH, Command, train


@pytest.fixture
def weights(state: dict[str, Tensor], tmp_path: Path) -> Path:
    save_file(state, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def imported(command: Command, population: Population, file: Path, *options: str) -> Member:
    done = command(
        "import", file, "--network", NETWORK, "--task", "digits", "--storage", population.storage.url, *options
    )
    assert (done.status, done.err) == (0, "")
    return population[done.out.splitlines()[0].split()[-1]]


def student(task: Task, teacher: Member) -> Generation:
    recipe, objective = Recipe(epochs=1, batch_size=100), Objective(name="ban")
    return Generation(task=task, network=NETWORK, recipe=recipe, objective=objective, seed=1, teachers=(teacher.key,))


def test_an_imported_network_teaches(
    command: Command, population: Population, weights: Path, task: Task, state: dict[str, Tensor]
) -> None:
    member = imported(command, population, weights, *SEARCH)
    assert isinstance(member.generation, ImportedGeneration)
    assert member.generation.imported.weights == member.weights.sha256
    assert member.generation.task == task
    assert member.metrics.held_out_error is not None
    chosen = select_teachers(population, "a search", parse_policy("best"), task, write=False)
    assert chosen.description.endswith(f": {NETWORK}, imported ({member.key[:12]})")
    kept = population.weights(member)
    assert all(np.array_equal(kept[name], tensor.numpy()) for name, tensor in state.items())
    assert {name: array.shape for name, array in kept.items()} == {
        name: tuple(tensor.shape) for name, tensor in state.items()
    }
    assert train(population, (student(task, member),)) == "done"
    assert population[student(task, member).key].teachers == {member.key: member.weights.sha256}
    assert verify(population, grace_s=0).findings == ()
    shown = command("show", student(task, member).key, "--storage", population.storage.url)
    assert shown.out.splitlines()[-2].split()[:3] == [member.key[:12], NETWORK, "imported"]
    assert "recipe" not in command("show", member.key, "--storage", population.storage.url).out


@pytest.mark.parametrize(
    ("options", "protocol", "declared"), [((), "paper", False), (("--protocol", "paper"), "paper", True)]
)
def test_without_a_split_it_never_teaches_where_held_out_samples_count(
    command: Command,
    population: Population,
    weights: Path,
    task: Task,
    options: tuple[str, ...],
    protocol: str,
    declared: bool,
) -> None:
    member = imported(command, population, weights, *options)
    assert isinstance(member.generation, ImportedGeneration)
    assert (member.generation.task.protocol, member.generation.imported.split_declared) == (protocol, declared)
    assert member.metrics.held_out_error is None
    assert "may have seen" in train(population, (student(task, member),))
    name = protocol if declared else "unknown"
    assert member.protocol == name
    shown = command("show", member.key, "--storage", population.storage.url).out
    assert ["task.protocol", name] in [line.split() for line in shown.splitlines()]
    everything = task.model_copy(update={"protocol": "paper"})
    assert train(population, (student(everything, member),)) == "done"


def test_another_split_is_another_member_and_is_refused(
    command: Command, population: Population, weights: Path, task: Task
) -> None:
    keys = {
        imported(command, population, weights, *options).key
        for options in ((), SEARCH, ("--protocol", "paper"), ("--protocol", "search", "--split-seed", "1"))
    }
    assert len(keys) == 4
    other = imported(command, population, weights, "--protocol", "search", "--split-seed", "1")
    assert "another split" in train(population, (student(task, other),))


def test_the_file_does_not_matter_and_the_weights_do(
    command: Command, population: Population, weights: Path, state: dict[str, Tensor], tmp_path: Path
) -> None:
    first = imported(command, population, weights, *SEARCH)
    forms: dict[str, Any] = {
        "plain": state,
        "wrapped": {"state_dict": state, "epoch": 3},
        "parallel": {f"module.{name}": tensor for name, tensor in state.items()},
    }
    for name, content in forms.items():
        torch.save(content, tmp_path / name)
        assert imported(command, population, tmp_path / name, *SEARCH) == first
    again = command(
        "import", weights, "--network", NETWORK, "--task", "digits", *SEARCH, "--storage", population.storage.url
    )
    assert "already" in again.out
    state["head.linear.bias" if "head.linear.bias" in state else next(iter(state))].view(-1)[0] += 1
    torch.save(state, tmp_path / "other")
    assert imported(command, population, tmp_path / "other", *SEARCH).key != first.key


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--network", "frob", "--task", "digits"], "unknown network 'frob'"),
        (["--network", NETWORK, "--task", "frob"], "unknown task 'frob'"),
        (["--network", NETWORK, "--task", "digits", "--data", "/"], "has no effect"),
        (["--network", NETWORK, "--task", "digits", "--protocol", "search"], "--split-seed N are needed together"),
        (["--network", NETWORK, "--task", "digits", "--split-seed", "1"], "--split-seed N are needed together"),
        (["--network", NETWORK, "--task", "digits", "--protocol", "paper", "--split-seed", "1"], "needed together"),
        (["--network", NETWORK, "--task", "digits", "--network-args", "[]"], "is no JSON object"),
        (["--network", NETWORK, "--task", "digits", "--network-args", '{"a": 1}'], "takes no arguments"),
        (["--network", NETWORK, "--task", "digits", "--network-version", "2"], "versions of its own"),
        (["--network", NETWORK], "Missing option '--task'"),
    ],
)
def test_bad_input(command: Command, population: Population, weights: Path, options: list[str], sentence: str) -> None:
    done = command("import", weights, *options, "--storage", population.storage.url)
    assert (done.status, done.out) == (2, "")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1


def test_an_imported_generation_is_its_weights_alone(task: Task) -> None:
    fields = {"task": task, "network": NETWORK, "imported": {"weights": "0" * 64, "split_declared": True}}
    assert (
        ImportedGeneration.model_validate(fields).key
        != ImportedGeneration.model_validate({**fields, "imported": {"weights": "1" * 64, "split_declared": True}}).key
    )
    for change in ({"seed": 1}, {"recipe": {"epochs": 3}}, {"teachers": ["0" * 64], "objective": {"name": "ban"}}):
        with pytest.raises(ValueError, match="cannot be known"):
            ImportedGeneration.model_validate({**fields, **change})
    with pytest.raises(ValueError, match="has the protocol paper"):
        ImportedGeneration.model_validate({**fields, "imported": {"weights": "0" * 64, "split_declared": False}})
    with pytest.raises(ValueError, match="imported"):
        Generation.model_validate({**fields, "recipe": {}, "objective": {"name": "label"}, "seed": 0})


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, task: Task) -> tuple[Population, list[str]]:
    """A chain that was trained for two epochs each; nothing changes it."""
    population = Population(open_storage(str(tmp_path_factory.mktemp("trained"))))
    recipe = Recipe(epochs=2, batch_size=100)
    chain = born_again(task, NETWORK, recipe, Objective(name="ban+l"), seed=0, generations=1)
    assert train(population, chain.generations) == "done"
    return population, list(chain.keys)


def copied(trained: tuple[Population, list[str]], folder: Path) -> Population:
    shutil.copytree(trained[0].storage.url, folder / "copy")
    return Population(open_storage(str(folder / "copy")))


def test_export_and_the_code_that_loads_it(
    command: Command, trained: tuple[Population, list[str]], tmp_path: Path, data: ImageData
) -> None:
    population, (root, key) = trained
    done = command("export", key, tmp_path / "out", "--storage", population.storage.url)
    assert (done.status, done.err) == (0, "")
    script = (
        "import sys, torch; from load import load, normalise\n"
        "with torch.no_grad(): torch.save(load()(normalise(torch.load(sys.argv[1]))).log_softmax(1), sys.argv[2])"
    )
    torch.save(data.test.images, tmp_path / "images.pt")
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "images.pt"), str(tmp_path / "outputs.pt")],
        cwd=tmp_path / "out",
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=120,
    )
    outputs = torch.load(tmp_path / "outputs.pt", weights_only=True).numpy()
    assert np.allclose(outputs, images_predictions(population, population[key])[1], atol=1e-5)
    card = (tmp_path / "out" / "README.md").read_text()
    for text in (key, root[:12], NETWORK, f"{population[key].metrics.test_error:.2f} %", "## Licence", "ban+l"):
        assert text in card
    assert (tmp_path / "out" / "member.json").read_bytes() == population[key].to_bytes()
    shown = subprocess.run(
        [sys.executable, str(tmp_path / "out" / "load.py")],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"{population[key].parameters} parameters\n"


def test_a_card_says_what_is_unusual_in_a_recipe(population: Population) -> None:
    inputs = InputDescription(10, 1, "images", "a note")
    usual = card(add(population), [], inputs)
    assert "weight decay 0.0005, fp32, seed 0 |" in usual
    recipe = Recipe(
        epochs=2, optimiser="adamw", optimiser_arguments={"betas": [0.9, 0.95]}, schedule="cosine", averaging="ema"
    )
    assert (
        "fp32, seed 1, optimiser adamw, optimiser arguments {'betas': [0.9, 0.95]}, schedule cosine, averaging ema |"
    ) in card(add(population, 1, recipe=recipe), [], inputs)


def test_export_of_an_imported_member_without_its_data(
    command: Command, population: Population, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = imported(command, population, weights)

    def missing(*_: object) -> None:
        raise OSError("no such data")

    monkeypatch.setattr("ban_ray.population.commands.export.open_source", missing)
    assert command("export", member.key, tmp_path / "out", "--storage", population.storage.url).status == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "its samples are not known" in card
    assert "protocol unknown, clean labels" in card
    assert "the numbers are not given" in card
    assert f"build('{NETWORK}', 10, 1, None)" in (tmp_path / "out" / "load.py").read_text()


def test_export_overwrites_nothing(command: Command, trained: tuple[Population, list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for target, sentence in ((tmp_path, "is not empty"), (tmp_path / "file", "cannot be made")):
        done = command("export", trained[1][0], target, "--storage", trained[0].storage.url)
        assert done.status == 2
        assert sentence in done.err
    assert (tmp_path / "file").read_text() == "mine"


def test_replay_of_a_student_has_the_same_bits(command: Command, trained: tuple[Population, list[str]]) -> None:
    population, (_, key) = trained
    before = sorted(Path(population.storage.url).rglob("*"))
    done = command("replay", key[:10], "--storage", population.storage.url, "--json")
    assert json.loads(done.out) == {"key": key, "same_bits": True, "differences": []}
    assert done.status == 0
    assert "epoch 2 of 2" in done.err
    assert sorted(Path(population.storage.url).rglob("*")) == before, "nothing is published"


def test_replay_says_what_differs(command: Command, trained: tuple[Population, list[str]], tmp_path: Path) -> None:
    """A member whose weights are another's, made with another version."""
    population, key = copied(trained, tmp_path), trained[1][0]
    old = population[key]
    other = {name: array.copy() for name, array in population.weights(old).items()}
    name = next(name for name, array in other.items() if array.dtype == np.float32)
    other[name].reshape(-1)[0] += 0.5
    predictions, history = population.predictions(old), population.history(old)
    population.storage.delete(f"population/{key}")
    publish(
        population,
        old.generation,
        weights=other,
        predictions=predictions,
        history=[{**history[0], "loss": 0.0}, *history[1:]],
        teachers={},
        parameters=old.parameters,
        provenance={**old.provenance, "versions": {**dict(old.provenance["versions"]), "torch": "1.0"}},  # type: ignore[arg-type]
    )
    done = command("replay", key, "--storage", population.storage.url, "--json")
    assert done.status == 1
    result = json.loads(done.out)
    assert result["same_bits"] is False
    weights, records, version = result["differences"]
    assert weights.startswith("weights: 1 of ")
    assert name in weights
    assert weights.endswith("by up to 0.5")
    assert records == "history: other numbers in columns that do not measure time"
    assert version == f"provenance: versions.torch was 1.0 and is {torch.__version__}"
    assert "other bits" in command("replay", key, "--storage", population.storage.url).out


def test_replay_refuses_what_it_cannot_repeat(
    command: Command, trained: tuple[Population, list[str]], weights: Path, tmp_path: Path
) -> None:
    population = copied(trained, tmp_path)
    root, key = trained[1]
    mine = imported(command, population, weights)
    done = command("replay", mine.key, "--storage", population.storage.url)
    assert (done.status, "was imported" in done.err) == (2, True)
    population.storage.delete(f"population/{root}")
    done = command("replay", key, "--storage", population.storage.url)
    assert (done.status, "is not in the population" in done.err) == (2, True)


@pytest.mark.slow
def test_replay_of_a_compiled_network_compiles_it(population: Population, task: Task, command: Command) -> None:
    """Its bits are others than those of the same network without compilation."""
    recipe = Recipe(epochs=2, batch_size=100)
    generation = Generation(task=task, network=NETWORK, recipe=recipe, objective=Objective(name="label"), seed=0)
    assert run_job(population, generation, compile=True).status == "done"
    key = generation.key
    assert population[key].provenance["execution_options"] == {"compile": True}
    plain = Population(open_storage(population.storage.url + "-plain"))
    assert run_job(plain, generation).status == "done"
    assert "execution_options" not in plain[key].provenance
    compiled, eager = (storage.weights(storage[key]) for storage in (population, plain))
    assert any(not np.array_equal(compiled[name], eager[name]) for name in eager)
    done = command("replay", key, "--storage", population.storage.url, "--json")
    assert json.loads(done.out)["same_bits"], done.out


@pytest.mark.slow
def test_replay_of_a_group_of_two_workers(population: Population, task: Task, command: Command) -> None:
    """Against itself: what two processes trained, two processes train again."""
    from ban_ray.population.commands.retraining import train_again

    recipe = Recipe(epochs=2, batch_size=100, workers=2)
    generation = Generation(task=task, network=NETWORK, recipe=recipe, objective=Objective(name="label"), seed=0)
    alone = generation.model_copy(update={"recipe": Recipe(epochs=2, batch_size=100)})
    assert train(population, (alone,)) == "done"
    template = population[alone.key].model_copy(update={"generation": generation, "key": generation.key})
    with train_again(population, template, Source(name="digits"), lambda *_: None) as (again, member):
        for file in member.files:
            population.storage.write(f"population/{member.key}/{file.name}", again.file(member, file))
        population.storage.create(f"population/{member.key}/member.json", member.to_bytes())
    done = command("replay", generation.key, "--storage", population.storage.url, "--json")
    assert json.loads(done.out) == {"key": generation.key, "same_bits": True, "differences": []}
