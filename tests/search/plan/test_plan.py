"""The plan of a search: what is published, what is missing, and whom it learns from."""

import json

import pytest

from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.plan import plan as plans
from ban_ray.search.plan import printing
from tests.helpers.command import Command
from tests.search.conftest import Trained


def test_what_is_taken_is_told(trained: Trained) -> None:
    population, _ = trained
    deeper = resolve(SearchOptions(space="densenet_grid", epochs=1, generations=3, seeds=(0,)))
    assert plans.count_reused_teachers(plans.make_plan(deeper, population)) == {
        "densenet-bc-16-8": 1,
        "densenet-bc-16-12": 1,
    }


def plan_of(run: Command, *arguments: str) -> tuple[str, set[str]]:
    """A plan in words and the keys of its generations."""
    words = run("--space", "chain", "--network", "densenet-bc-10-4", "--plan", *arguments)
    assert words.status == 0, words.err
    values = json.loads(run("--space", "chain", "--network", "densenet-bc-10-4", "--plan", "--json", *arguments).out)
    return words.out, {key for chain in values["chains"] for key in chain["keys"]}


@pytest.mark.usefixtures("without_measuring")
def test_augmentation_is_told_and_chosen(search_here: Command) -> None:
    usual, keys = plan_of(search_here)
    assert "Augmentation: reflection padding of 1 pixel, random crops, no mirroring" in usual
    mirrored, other_keys = plan_of(search_here, "--flip")
    assert "Augmentation: reflection padding of 1 pixel, random crops, random mirroring" in mirrored
    assert "training images mirrored" in mirrored
    assert not keys & other_keys
    run = search_here("--space", "chain", "--network", "densenet-bc-10-4", "--plan", "--no-flip")
    assert run.status == 2
    assert "--no-flip has no effect: images of task digits are not mirrored by default" in run.err


def test_a_plan_is_json(trained: Trained) -> None:
    population, spec = trained
    plan = json.loads(json.dumps(printing.plan_as_json(plans.make_plan(spec, population), None, [])))
    assert (plan["distinct_generations"], plan["to_train"], plan["already_there"]) == (12, 6, 6)
    assert [chain["keys"] for chain in plan["chains"]] == [list(planned.chain.keys) for planned in spec.chains]
