"""A search whose population is damaged: a sentence with what to do, no traceback, and what is whole stays."""

from pathlib import Path

import pytest

from ban_ray.population import Population, open_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from tests.helpers.command import Command, write_space
from tests.helpers.simulated import train

pytestmark = pytest.mark.ray


@pytest.mark.parametrize("file", ["predictions-*", "member.json"])
def test_a_repeated_search(search: Command, tmp_path: Path, file: str) -> None:
    """Records are read at the start, predictions at the end."""
    space = write_space(tmp_path)
    population = Population(open_storage(str(tmp_path / "runs")))
    chains = resolve(SearchOptions(space=space, seeds=(0,))).chains
    for planned in chains:
        train(population, planned)
    key = chains[0].chain.keys[-1]
    (damaged,) = (tmp_path / "runs" / "population" / key).glob(file)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(bytes(data))
    done = search("--space", space, "--storage", "runs", "--seeds", "0")
    assert done.status == 4, done.err
    assert "Traceback" not in done.err
    assert key[:12] in done.err
    assert "verify --set-aside" in done.err
    assert damaged.read_bytes() == bytes(data)
