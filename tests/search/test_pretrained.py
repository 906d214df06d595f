"""Searches whose generations start from given weights: keys, plans, the storage, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ban_ray.cli.params import validated
from ban_ray.errors import UserError
from ban_ray.networks.architecture import LibraryWeights
from ban_ray.networks.building import build
from ban_ray.networks.families.timm import TimmNetwork
from ban_ray.networks.pretrained import digest_of
from ban_ray.population import Population, open_storage
from ban_ray.population.initial_weights import stored
from ban_ray.population.layout import initial_weights_file
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.options_file import merge_options_file
from ban_ray.search.pretrained import with_initial_weights
from ban_ray.search.study import records
from ban_ray.search.teachers.chosen_once import select_teachers
from ban_ray.specs import Generation
from ban_ray.tasks.image_data import ImageData, load_images
from ban_ray.tasks.image_dataset import ImageDataset
from tests.helpers.command import Command
from tests.helpers.local_jobs import run_job, stored_bytes

NETWORK = "densenet-bc-10-4"
CHAIN = {"space": "chain", "network": NETWORK, "epochs": 2, "generations": 1, "seeds": (0,)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Weights of 100 classes."""
    torch.manual_seed(5)
    save_file(dict(build(NETWORK, 100, 1).state_dict()), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def resolved(population: Population, pretrained: object, **options: Any) -> SearchSpec:
    """The search of these options; its weights are in the storage afterwards, as where it is run."""
    spec = resolve(SearchOptions.model_validate({**CHAIN, "storage": population.storage.url, **options}))
    started, weights = with_initial_weights(spec, str(pretrained), population)
    stored.save(population.storage, weights.sha256, weights.data)
    return started


def generations(spec: SearchSpec) -> tuple[Generation, ...]:
    return spec.chains[0].chain.generations


def train(population: Population, spec: SearchSpec) -> None:
    result = run_job(population, *generations(spec))
    assert result.status == "done", result.message


def test_the_digest_is_in_every_key_and_nothing_else_is(population: Population, file: Path) -> None:
    plain = resolve(SearchOptions.model_validate({**CHAIN, "storage": population.storage.url}))
    spec = resolved(population, file)
    sha256 = digest_of(file.read_bytes())
    for number, (before, after) in enumerate(zip(generations(plain), generations(spec), strict=True)):
        expected = before.model_copy(update={"initial_weights": sha256, "teachers": after.teachers})
        assert after == expected
        assert after.key != before.key
        assert after.teachers == ((generations(spec)[0].key,) if number else ())
    assert "initial_weights" not in json.dumps(records.search_identity(plain))
    assert records.search_identity(spec) != records.search_identity(plain)
    assert f"each generation starts from weights {sha256[:12]}" in spec.data_and_protocol


def test_controls_and_sampled_chains_start_from_them_too(population: Population, file: Path) -> None:
    spec = resolved(population, file, space="does_it_help")
    every = [generation for planned in spec.chains for generation in planned.chain.generations]
    assert len(every) > 8
    assert all(generation.initial_weights for generation in every)
    sampled = resolved(population, file, search={"recipe.learning_rate": "1e-3..1e-1:log"})
    chain = sampled.chains_of({"recipe.learning_rate": 0.01})[0].chain
    assert all(generation.initial_weights for generation in chain.generations)


def test_workers_find_them_after_the_file_is_gone_and_a_repetition_trains_nothing(
    population: Population, file: Path, tmp_path: Path
) -> None:
    spec = resolved(population, file)
    sha256 = digest_of(file.read_bytes())
    file.unlink()
    train(population, spec)
    baseline = population[generations(spec)[0].key]
    assert baseline.generation.initial_weights == sha256
    before = [stored_bytes(population, generation.key) for generation in generations(spec)]
    # By its digest, and by the file of options that the search has written.
    records.write_search(population.storage, spec, "first")
    options = tmp_path / "again.toml"
    options.write_bytes(population.storage.read("searches/first/search.toml"))
    read = validated(SearchOptions, merge_options_file(str(options), {}))
    assert read.pretrained == sha256
    for again in (resolved(population, sha256), with_initial_weights(resolve(read), sha256, population)[0]):
        assert [generation.key for generation in generations(again)] == list(spec.chains[0].chain.keys)
        train(population, again)
    assert before == [stored_bytes(population, generation.key) for generation in generations(spec)]


def test_a_member_by_its_key_is_the_file_of_its_weights(population: Population, file: Path, tmp_path: Path) -> None:
    """On other data; of the same classes it brings its head."""
    train(population, spec := resolved(population, file, generations=0))
    member = population[generations(spec)[0].key]
    exported = tmp_path / "weights.safetensors"
    exported.write_bytes(population.file(member, member.weights))
    by_key, by_file = (resolved(population, text) for text in (member.key[:10], exported))
    assert by_key.chains[0].chain.keys == by_file.chains[0].chain.keys
    assert generations(by_key)[0].initial_weights == member.weights.sha256
    _, weights = with_initial_weights(resolve(by_file.options), str(exported), population)
    assert weights.description == f"member {member.key[:12]}, {NETWORK} on digits ({member.weights.sha256[:12]})"


def test_weights_that_have_seen_the_held_out_samples_are_refused(population: Population, file: Path) -> None:
    """Also where they come as a file, or through one more start on other data."""
    leaking = resolved(population, file, generations=0, split_seed=1, label_noise=0.1)
    train(population, leaking)
    member = population[generations(leaking)[0].key]
    with pytest.raises(UserError, match=r"trained on the same data under protocol search, split seed 1, and may have"):
        resolved(population, member.key)
    same = resolved(population, member.key, split_seed=1, generations=0)
    other = generations(same)[0]
    other = other.model_copy(update={"task": other.task.model_copy(update={"label_noise": 0.2})})
    assert run_job(population, other).status == "done"
    with pytest.raises(UserError, match="may have seen this search's held-out samples"):
        resolved(population, other.key)


def test_a_damaged_or_missing_start_is_one_sentence_for_the_worker(population: Population, file: Path) -> None:
    spec = resolved(population, file)
    path = initial_weights_file(digest_of(file.read_bytes()))
    data = population.storage.read(path)
    for spoiled, state in ((data[:-1], "is damaged"), (None, "is missing")):
        population.storage.delete(path)
        if spoiled is not None:
            population.storage.write(path, spoiled)
        result = run_job(population, *generations(spec))
        assert result.status == "failed"
        assert result.message.startswith(f"{path} in {population.storage.url} {state}, and training starts from it")
        # The command puts it there again.
        resolved(population, file)
        assert population.storage.read(path) == data
    train(population, spec)


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> LibraryWeights:
    """What timm would fetch."""
    pytest.importorskip("timm", reason="timm is not installed (the extra `timm`)")
    torch.manual_seed(1)
    weights = LibraryWeights(dict(build("timm:test_resnet", 1000, 1).state_dict()), (0.5,), (0.25,))
    monkeypatch.setattr(TimmNetwork, "default_weights", lambda *_: weights)
    return weights


def test_default_weights_bring_their_normalisation(
    population: Population, offered: LibraryWeights, tmp_path: Path
) -> None:
    options = {"network": "timm:test_resnet", "generations": 0, "epochs": 1}
    spec = resolved(population, "default", **options)
    assert spec.context.task.normalise == ((0.5,), (0.25,))
    assert "inputs normalised by mean 0.5 and deviation 0.25" in spec.data_and_protocol
    assert "normalise" in generations(spec)[0].to_json()
    train(population, spec)
    set_by_hand = resolved(population, "default", **options, settings={"task.normalise": [[0.1], [0.5]]})
    assert set_by_hand.context.task.normalise == ((0.1,), (0.5,))
    records.write_search(population.storage, spec, "first")
    (tmp_path / "again.toml").write_bytes(population.storage.read("searches/first/search.toml"))
    read = validated(SearchOptions, merge_options_file(str(tmp_path / "again.toml"), {}))
    again = with_initial_weights(resolve(read), str(read.pretrained), population)[0]
    assert again.chains[0].chain.keys == spec.chains[0].chain.keys
    assert records.search_identity(again) == records.search_identity(spec)


def test_statistics_of_other_channels_are_left_out(population: Population, offered: LibraryWeights) -> None:
    object.__setattr__(offered, "mean", (0.5, 0.5, 0.5))
    assert resolved(population, "default", network="timm:test_resnet").context.task.normalise is None


def test_normalisation_reaches_the_pixels(
    population: Population, file: Path, data: ImageData, digits: ImageDataset
) -> None:
    spec = resolved(population, file, settings={"task.normalise": [[0.5], [0.25]]}, generations=0)
    own = load_images(spec.context.task, digits, torch.device("cpu"))
    expected = (own.train.images[:5].permute(0, 3, 1, 2) / 255 - 0.5) / 0.25
    torch.testing.assert_close(own.normalise(own.train.images[:5]), expected)
    assert not torch.equal(own.scale, data.scale)


def test_a_teacher_of_other_inputs_is_refused(population: Population, file: Path) -> None:
    spec = resolved(population, file)
    train(population, replace(spec))
    teacher, student = generations(spec)
    other = student.model_copy(update={"task": student.task.model_copy(update={"normalise": ((0.5,), (0.25,))})})
    result = run_job(population, other)
    assert (result.status, other.teachers) == ("failed", (teacher.key,))
    assert "expects inputs normalised differently (task.normalise)" in result.message
    with pytest.raises(UserError, match="only members with this search's normalisation are allowed"):
        chosen = resolve(
            SearchOptions.model_validate(
                {**CHAIN, "teacher": teacher.key, "settings": {"task.normalise": [[0.5], [0.25]]}}
            )
        )
        select_teachers(population, "a search", chosen.teacher_decisions.policy, chosen.context.task, write=False)


def test_a_plan_shows_the_start_and_writes_nothing(search_here: Command, file: Path, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "runs"))
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    typed = ("--space", "chain", "--network", NETWORK, "--pretrained", "mine.safetensors", "--storage", "runs")
    plan = search_here(*typed, "--plan")
    assert plan.status == 0, plan.err
    sha256 = digest_of(file.read_bytes())
    head = "classifier.weight and classifier.bias made anew"
    assert f"Each generation starts from mine.safetensors ({sha256[:12]}), {head}" in " ".join(plan.out.split())
    as_json = json.loads(search_here(*typed, "--plan", "--json").out)
    assert f"starts from weights {sha256[:12]}" in as_json["regime"]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before
    assert storage.list("weights") == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-3]), "is no whole safetensors file: "),
        (lambda file: file.write_bytes(b""), "is no whole safetensors file: "),
        (lambda file: torch.save({"a": torch.ones(1)}, file), "is a pickle, which can run code"),
        (lambda file: save_file({"a": torch.ones(1)}, file), f"does not fit {NETWORK}, whose classifier.bias, "),
        (lambda file: file.chmod(0), "cannot be read: "),
    ],
    ids=["truncated", "empty", "pickle", "other", "forbidden"],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    search_here: Command, file: Path, tmp_path: Path, change: Any, sentence: str
) -> None:
    change(file)
    try:
        file.read_bytes()
    except PermissionError:
        pass
    else:
        if sentence == "cannot be read: ":
            pytest.skip("this user may read every file")
    done = search_here("--space", "chain", "--network", NETWORK, "--pretrained", str(file))
    assert done.status == 2
    errors = [line for line in done.err.splitlines() if line.startswith("Error: --pretrained")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert not (tmp_path / "ban_runs").exists()


def test_a_key_that_no_member_has(population: Population) -> None:
    with pytest.raises(UserError, match=r"^--pretrained '0123456789': no member of .* has a key that begins with"):
        resolved(population, "0123456789")
