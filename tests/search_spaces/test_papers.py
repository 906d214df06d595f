"""The spaces at the papers' scale: the rows of their tables, and teachers that several rows share."""

import pytest

from ban_ray.search.config import spaces
from ban_ray.specs import Chain, SearchSpace, SpaceContext, Task

DISTINCT = {
    "densenet_grid": 15,
    "match_resnet": 16,
    "match_densenet": 8,
    "objectives": 20,
    "cifar10": 16,
    "wide_resnet_teachers": 12,
}
"""Generations of the papers' tables; a teacher that several rows share counts once."""


def paper_chains(space: SearchSpace) -> dict[str, list[Chain]]:
    """Chains at the papers' scale, by row."""
    scale = space.scales["paper"]
    task = Task(name=scale.task, fingerprint="0" * 64, protocol=scale.protocol)
    setting = SpaceContext("paper", task, scale.recipe, scale.objective, scale.generations)
    rows: dict[str, list[Chain]] = {}
    for configuration in scale.configurations:
        chain = space.chain(configuration, setting, scale.seeds[0])
        rows.setdefault(space.place(configuration, chain).row, []).append(chain)
    return rows


def keys(rows: dict[str, list[Chain]]) -> set[str]:
    return {key for chains in rows.values() for chain in chains for key in chain.keys}


@pytest.mark.parametrize("name", DISTINCT)
def test_the_papers_rows(name: str) -> None:
    space = spaces.load(name)
    rows = paper_chains(space)
    assert {row.network for row in space.paper} == set(rows)
    assert len(keys(rows)) == DISTINCT[name]
    for chains in rows.values():
        for chain in chains:
            assert {generation.recipe.epochs for generation in chain.generations} == {200}
            assert {generation.task.protocol for generation in chain.generations} == {"paper"}


def test_both_match_spaces_share_their_teacher() -> None:
    together = [keys(paper_chains(spaces.load(name))) for name in ("match_resnet", "match_densenet")]
    assert len(together[0] | together[1]) == DISTINCT["match_resnet"] + DISTINCT["match_densenet"] - 1
