"""Space `language_models` at the papers' scale: each network's own recipe, with what was typed."""

from pathlib import Path

import pytest

from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.config.spec import SearchSpec
from tests.helpers.texts import babble, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "text", babble(3000, 0), babble(300, 1), babble(300, 2))


def paper_search(data: Path, batch_size: int | None = None) -> SearchSpec:
    return resolve(
        SearchOptions(space="language_models", scale="paper", task="text", data=str(data), batch_size=batch_size)
    )


def batch_sizes(spec: SearchSpec) -> dict[str, int]:
    return {planned.position.row: planned.chain.generations[0].recipe.batch_size for planned in spec.chains}


def test_a_typed_batch_size_holds_for_every_network(data: Path) -> None:
    own = batch_sizes(paper_search(data))
    assert len(set(own.values())) == 2, "the papers' recipes differ"
    for typed in own.values():
        assert set(batch_sizes(paper_search(data, typed)).values()) == {typed}


def test_the_validation_text_is_not_said_to_be_trained_on(data: Path) -> None:
    assert "paper protocol: last epoch on test" in paper_search(data).data_and_protocol
