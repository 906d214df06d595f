"""Shapes of weights, read from the head of their file."""

import random
from pathlib import Path

import numpy as np
import pytest

from ban_ray.errors import DamagedMember
from ban_ray.population import Member, Population
from tests.helpers.plain_members import add


def weights_file(population: Population, member: Member) -> Path:
    return Path(population.storage.url) / "population" / member.key / member.weights.name


@pytest.mark.parametrize("count", [1, 3000], ids=["a few names", "more names than are read at once"])
def test_they_are_those_of_the_weights(population: Population, count: int) -> None:
    arrays = {f"layer.{number}": np.zeros((number % 7, 2), np.float32) for number in range(count)}
    member = add(population, weights={**arrays, "steps": np.array(3)})
    shapes = population.shapes(member)
    assert shapes == {name: array.shape for name, array in population.weights(member).items()}
    assert (shapes["layer.0"], shapes["steps"]) == ((0, 2), ())


def test_a_file_that_begins_otherwise_is_damaged(population: Population) -> None:
    member = add(population)
    file = weights_file(population, member)
    good = file.read_bytes()
    chance = random.Random(0)
    for bad in (b"", b"\xff" * 100, good[:20], *(chance.randbytes(8) + good[8:] for _ in range(50))):
        file.write_bytes(bad)
        with pytest.raises(DamagedMember, match=member.key):
            population.shapes(member)
    for header in (b"[]", b'{"a": 3}', b'{"a": {"shape": "x"}}', b'{"a": {"shape": 3}}', b"[" * 50_000):
        file.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(DamagedMember, match=member.key):
            population.shapes(member)
    file.unlink()
    with pytest.raises(DamagedMember, match="is missing"):
        population.shapes(member)
