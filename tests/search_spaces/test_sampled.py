"""The sampled spaces: every configuration makes a chain of networks that exist."""

import random
from dataclasses import replace

import pytest

from ban_ray.networks import registry
from ban_ray.search.config import spaces
from ban_ray.specs import SpaceContext, Task
from ban_ray.specs.parameters import contains, sample

SAMPLED = [name for name in spaces.names() if spaces.load(name).scales["laptop"].parameters]


def test_there_are_four() -> None:
    assert SAMPLED == ["densenet_search", "match_resnet_widths", "population_search", "recipe_search"]


@pytest.mark.parametrize("name", SAMPLED)
def test_10000_samples_make_chains(name: str) -> None:
    space = spaces.load(name)
    scale = space.scales["laptop"]
    context = SpaceContext("laptop", Task(name="digits", fingerprint="0" * 64), scale.recipe, scale.objective, 1)
    rng = random.Random(0)
    configurations: dict[str, str] = {}
    rows: set[str] = set()
    for number in range(10_000):
        configuration = sample(scale.parameters, rng)
        assert contains(scale.parameters, configuration)
        if number < 1000:
            chain = space.chain(configuration, replace(context, generations=1), 0)
            assert len(chain.generations) == 2 or "generations" in space.chooses
            position = space.place(configuration, chain)
            assert len(position.columns) == len(chain.generations)
            rows.add(position.row)
            configurations.setdefault(chain.network, str(dict(configuration)))
    assert len(rows) > 100
    for network, first in configurations.items():
        assert registry.parse(network).name == network, first
        assert registry.parse(network).parameters(10, 1) > 0


def test_widths_are_conditional_on_the_family() -> None:
    parameters = spaces.load("match_resnet_widths").scales["laptop"].parameters
    rng = random.Random(1)
    for _ in range(10_000):
        configuration = sample(parameters, rng)
        wide = configuration["family"] == "match-wide-resnet"
        assert ("wide_units" in configuration, "pre_units" in configuration) == (wide, not wide)
        assert 0.25 <= float(configuration["width_ratio"]) <= 2


def test_densenet_search_finds_the_chains_of_densenet_grid() -> None:
    task = Task(name="digits", fingerprint="0" * 64, label_noise=0.3)
    keys = []
    for name, configuration in (
        ("densenet_grid", {"depth": 16, "growth": 8}),
        ("densenet_search", {"depth": 16, "growth": 8, "compression": 0.5}),
    ):
        space = spaces.load(name)
        scale = space.scales["laptop"]
        context = SpaceContext("laptop", task, scale.recipe, scale.objective, scale.generations)
        keys.append(space.chain(configuration, context, 0).keys)
    assert keys[0] == keys[1]
