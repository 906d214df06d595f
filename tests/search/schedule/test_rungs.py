"""Rungs along a chain, and the rules of falling behind and of saturation, as functions of errors."""

import pytest

from ban_ray.search.schedule.rungs import Rung, is_saturated, should_prune
from ban_ray.specs import Recipe


@pytest.mark.parametrize(
    ("epochs", "drops", "rung"),
    [(200, (0.3, 0.6, 0.8), 161), (10, (0.3, 0.6, 0.8), 9), (45, (0.3, 0.6, 0.8), 37), (10, (0.5,), 6), (10, (), None)],
)
def test_the_first_epoch_at_the_last_learning_rate(epochs: int, drops: tuple[float, ...], rung: int | None) -> None:
    recipe = Recipe(epochs=epochs, learning_rate_drops=drops)
    assert recipe.drop_rung_epoch == rung
    if rung is not None:
        rates = [recipe.learning_rate_at(epoch) for epoch in range(epochs)]
        assert rates.index(rates[-1]) + 1 == rung


def test_a_rung_that_is_the_end_is_none() -> None:
    for epochs in (1, 2, 3, 4, 5):
        assert Recipe(epochs=epochs).drop_rung_epoch is None
    assert Recipe(epochs=6).drop_rung_epoch is None
    assert Recipe(epochs=10).drop_rung_epoch == 9


def test_rungs_are_in_the_order_of_a_chain() -> None:
    rungs = [Rung(1, "drop"), Rung(0, "end"), Rung(1, "end"), Rung(0, "drop")]
    assert [rung.step for rung in sorted(rungs)] == [0, 1, 2, 3]


def test_the_better_part_is_promoted() -> None:
    others = [(10.0,), (11.0,), (12.0,)]
    assert not should_prune((9.0,), others, promoted_fraction=0.5)
    assert not should_prune((10.5,), others, promoted_fraction=0.5), "second of four"
    assert should_prune((11.5,), others, promoted_fraction=0.5), "third of four"
    assert should_prune((10.5,), others, promoted_fraction=0.25), "of four the best quarter is one"
    assert not should_prune((9.0,), others, promoted_fraction=0.25)


def test_nothing_is_pruned_among_few_or_equals() -> None:
    assert not should_prune((99.0,), [(1.0,)], promoted_fraction=0.25)
    assert should_prune((99.0,), [(1.0,), (2.0,)], promoted_fraction=0.25)
    assert not should_prune((10.0,), [(10.0,)] * 20, promoted_fraction=0.25)
    assert not should_prune((10.0,), [(10.0,)] * 20 + [(9.0,)] * 5, promoted_fraction=0.25), "a fifth is better"


def test_several_targets_are_ranked_by_dominance() -> None:
    points = [(10.0, 5.0), (11.0, 4.0), (12.0, 3.0), (12.0, 5.0), (13.0, 6.0), (12.0, 5.0)]
    assert not should_prune((50.0, 1.0), points, promoted_fraction=0.25), (
        "the smallest of all is on the front, whatever its error"
    )
    assert should_prune((14.0, 7.0), points, promoted_fraction=0.5)
    assert not should_prune((12.0, 5.0), points, promoted_fraction=0.5), "three of seven are on a better front"


def test_densenet_80_80_keeps_its_third_generation() -> None:
    for baseline in (17.30, 17.16):
        errors = [baseline, 16.26, 16.30, 15.50]
        assert not any(is_saturated(errors[:count], patience=2, min_gain=0.0) for count in range(1, 5))
        assert is_saturated(errors[:3], patience=1, min_gain=0.0), "which is why a patience below 2 is refused"


def test_saturation_counts_generations_without_a_gain() -> None:
    assert not is_saturated([10, 9, 9.5], 2, 0)
    assert is_saturated([10, 9, 9.5, 9], 2, 0), "equal is no gain"
    assert not is_saturated([10, 9, 9.5, 9, 8], 2, 0)
    assert is_saturated([10, 9.9, 9.8], 2, 0.5)
    assert not is_saturated([10, 9.7, 9.4], 2, 0.5), "small steps add up to a gain"
    assert not is_saturated([10], 2, 0)


def test_a_rung_is_named_by_what_happens_there() -> None:
    drop, end = Rung(0, "drop"), Rung(2, "end")
    assert drop.description("steps") == "after the last learning-rate drop of generation 0"
    assert drop.description("cosine") == "at the rung of generation 0"
    assert {end.description(schedule) for schedule in ("steps", "cosine")} == {"at the end of generation 2"}
