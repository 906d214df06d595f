"""Initial weights in a storage: `verify`, `gc` and `replay`."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from ban_ray.networks.building import build
from ban_ray.networks.pretrained import digest_of
from ban_ray.population import ImportedGeneration, Population
from ban_ray.population.initial_weights import stored
from ban_ray.population.layout import initial_weights_file
from ban_ray.population.maintenance.garbage import find_garbage
from ban_ray.population.maintenance.verify import verify
from ban_ray.specs import Recipe, Task, born_again
from tests.helpers.local_jobs import BAN, NETWORK, run_job
from tests.helpers.members import add, age
from tests.helpers.population_command import Command

DATA = b"weights"
SHA256 = digest_of(DATA)


def found(population: Population) -> list[tuple[str, str]]:
    return [(finding.what, finding.path) for finding in verify(population).findings]


def test_a_start_that_is_missing_or_damaged_is_found(population: Population) -> None:
    stored.save(population.storage, SHA256, DATA)
    member = add(population, initial_weights=SHA256)
    add(population, seed=1)
    path = initial_weights_file(SHA256)
    assert found(population) == []
    population.storage.write(path, DATA + b"!")
    assert found(population) == [("start missing", path)]
    assert [finding.key for finding in verify(population).findings] == [member.key]
    population.storage.delete(path)
    assert found(population) == [("start missing", path)]
    assert population.weights(member), "a member is used without them"
    stored.save(population.storage, SHA256, DATA)
    assert found(population) == []


def test_what_members_started_from_is_kept_and_the_rest_given_up(population: Population) -> None:
    other = b"other weights"
    for data in (DATA, other):
        stored.save(population.storage, digest_of(data), data)
    add(population, initial_weights=SHA256)
    assert list(find_garbage(population)) == []
    for path in Path(population.storage.url).rglob("weights/*"):
        age(path, 8)
    assert [item.path for item in find_garbage(population)] == [initial_weights_file(digest_of(other))]


def test_an_imported_network_says_nothing_of_a_start(task: Task) -> None:
    with pytest.raises(ValueError, match="initial_weights of an imported network cannot be known"):
        ImportedGeneration.model_validate(
            {
                "task": task.model_copy(update={"protocol": "paper"}),
                "network": NETWORK,
                "imported": {"weights": "1" * 64, "split_declared": False},
                "initial_weights": "2" * 64,
            }
        )


def test_a_path_is_made_of_a_digest_alone() -> None:
    with pytest.raises(ValueError, match="is no key"):
        initial_weights_file("../elsewhere")


def test_a_fine_tuned_chain_is_replayed_to_the_same_bits(population: Population, task: Task, command: Command) -> None:
    torch.manual_seed(3)
    data = save(dict(build(NETWORK, 100, 1).state_dict()))
    stored.save(population.storage, sha256 := digest_of(data), data)
    chain = born_again(task, NETWORK, Recipe(epochs=1, batch_size=100), BAN, seed=0, generations=1)
    first = chain.generations[0].model_copy(update={"initial_weights": sha256})
    second = chain.generations[1].model_copy(update={"initial_weights": sha256, "teachers": (first.key,)})
    assert run_job(population, first, second).status == "done"
    done = command("replay", second.key, "--storage", population.storage.url, "--json")
    assert json.loads(done.out)["same_bits"] is True, done.err
    shown = command("show", second.key, "--storage", population.storage.url)
    assert sha256 in shown.out
    assert command("ls", "--storage", population.storage.url).status == 0
    population.storage.delete(initial_weights_file(sha256))
    refused = command("replay", second.key, "--storage", population.storage.url)
    assert refused.status == 2
    assert "is missing, and training starts from it" in refused.err
