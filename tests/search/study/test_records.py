"""The records of a search: its identity, its name and the lock on it."""

from pathlib import Path

import pytest

from ban_ray.errors import UserError
from ban_ray.population import Population, open_storage
from ban_ray.search.config.options import SearchOptions
from ban_ray.search.config.resolve import resolve
from ban_ray.search.study import records


def test_another_search_with_the_default_name_takes_a_suffix(tmp_path: Path) -> None:
    storage, folder = open_storage(str(tmp_path)), tmp_path / "searches"
    first = resolve(SearchOptions(space="densenet_grid", epochs=1))
    other = resolve(SearchOptions(space="densenet_grid", epochs=2))
    with (
        records.locked_name(storage, folder, first, None) as name,
        records.locked_name(storage, folder, other, None) as second,
    ):
        assert name == "densenet_grid"
        assert second.startswith("densenet_grid-")
        with (
            pytest.raises(UserError, match="is being run by another process"),
            records.locked_name(storage, folder, first, None),
        ):
            pass
        with pytest.raises(UserError, match="is being run by another process"):
            records.locked_name(storage, folder, other, "densenet_grid").__enter__()
    with records.locked_name(storage, folder, first, None) as name:
        assert name == "densenet_grid", "free again"


def test_a_field_younger_than_a_search_does_not_make_it_another() -> None:
    """The same command goes on after an upgrade."""
    online, cached = (
        records.search_identity(resolve(SearchOptions(space="densenet_grid", teacher_cache=size)))["recipe"]
        for size in (None, 2**30)
    )
    assert isinstance(online, dict)
    assert isinstance(cached, dict)
    # As searches were written before there was a choice.
    assert sorted(online) == [
        *("batch_size", "clip", "epochs", "learning_rate", "learning_rate_drops", "learning_rate_factor", "momentum"),
        *("plateau", "precision", "unroll", "weight_decay", "workers"),
    ]
    assert cached == {**online, "teacher_outputs": "cached"}


@pytest.mark.parametrize("text", ["[]", "null", '{"identity": 3}', "{"])
def test_a_search_json_that_is_none_is_one_sentence(population: Population, text: str) -> None:
    population.storage.write("searches/mine/search.json", text.encode())
    with pytest.raises(UserError, match=r"searches/mine/search.json .* is damaged"):
        records.resolve_name(population.storage, resolve(SearchOptions(space="densenet_grid", seeds=(0,))), "mine")


def test_a_taken_name_tells_every_difference_whichever_search_has_the_field(population: Population) -> None:
    plain, taught = (
        resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), epochs=epochs, teacher=teacher))
        for epochs, teacher in ((9, "parent"), (8, "best"))
    )
    for first, second, epochs, teacher in (
        (plain, taught, "recipe epochs (9 there, 8 here)", "teacher (none there, kind best here)"),
        (taught, plain, "recipe epochs (8 there, 9 here)", "teacher (kind best there, none here)"),
    ):
        name = f"mine-{first.context.recipe.epochs}"
        records.write_search(population.storage, first, name)
        with pytest.raises(UserError) as refused:
            records.resolve_name(population.storage, second, name)
        assert epochs in str(refused.value)
        assert teacher in str(refused.value)


def test_a_difference_of_the_recorded_search_alone_is_named(population: Population) -> None:
    plain = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), epochs=9))
    taught = resolve(SearchOptions(space="chain", network="densenet-bc-10-4", seeds=(0,), epochs=9, teacher="best"))
    records.write_search(population.storage, taught, "mine")
    with pytest.raises(UserError, match=r"differs in teacher \(kind best there, none here\); choose another name"):
        records.resolve_name(population.storage, plain, "mine")
