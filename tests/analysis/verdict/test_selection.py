"""The choice on held-out data and the comparison on test data, on constructed losses."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.statistics import crossed_interval
from analysis.verdict.choice import Choice, Role
from analysis.verdict.power import needed
from analysis.verdict.selection import added_by_distillation, cheapest_unbeaten, held_out_score, lowest
from tests.analysis.simulated_errors import paired_errors

SAMPLES = 1000


def errors(count: int, start: int = 0) -> NDArray[np.int8]:
    """As many errors, in a row from a sample on."""
    losses = np.zeros(SAMPLES, dtype=np.int8)
    losses[start : start + count] = 1
    return losses


def choice(
    name: str, cost: float, held_out: dict[int, int], test: dict[int, int] | None = None, role: Role = "undistilled"
) -> Choice:
    """A choice by its numbers of errors in a thousand, by seed."""
    test = held_out if test is None else test
    return Choice(
        name,
        cost,
        role,
        {seed: errors(count) for seed, count in held_out.items()},
        {seed: errors(count) for seed, count in test.items()},
    )


BASELINE = choice("baseline", 1, {0: 200, 1: 210, 2: 190})


def test_the_cheapest_is_chosen_unless_a_dearer_one_is_better_by_more_than_one_standard_error() -> None:
    better = choice("better", 3, {0: 100, 1: 110, 2: 90})
    same = choice("same", 3, {0: 199, 1: 211, 2: 189})
    assert cheapest_unbeaten([BASELINE, better, same], BASELINE) is better
    assert cheapest_unbeaten([same, BASELINE], BASELINE) is BASELINE
    as_cheap = choice("as cheap", 1, {0: 199, 1: 209, 2: 189})
    assert cheapest_unbeaten([BASELINE, as_cheap], BASELINE) is as_cheap, "among equals the lower held-out loss"


def test_students_that_are_as_good_count_together() -> None:
    """Without one of the two seeds, the other seed cannot tell them apart."""
    first = choice("first", 2, {0: 150, 1: 150}, {0: 100, 1: 100}, role="distilled")
    second = choice("second", 2, {0: 150, 1: 150}, {0: 140, 1: 140}, role="distilled")
    plain = choice("baseline", 1, {0: 200, 1: 200})
    added = added_by_distillation([plain, first, second], plain, 1000)
    assert added is not None
    assert added.second.sum(1).tolist() == [120, 120]
    assert added.times_chosen == 2


def test_test_data_choose_nothing() -> None:
    worse_on_test = choice("a", 2, {0: 100, 1: 110, 2: 90}, {0: 900, 1: 900, 2: 900}, role="distilled")
    other = choice("b", 2, {0: 150, 1: 160, 2: 140}, {0: 0, 1: 0, 2: 0}, role="distilled")
    assert cheapest_unbeaten([BASELINE, worse_on_test, other], BASELINE) is worse_on_test
    added = added_by_distillation([BASELINE, other, worse_on_test], BASELINE, 100)
    assert added is not None
    assert added.distilled is worse_on_test
    assert added.interval.estimate == pytest.approx(90 - 20)


def test_choices_of_fewer_seeds_are_compared_on_the_seeds_that_they_have() -> None:
    """The baseline is bad at the only seed of this one, which is better there."""
    unlucky = choice("two seeds", 1, {1: 200, 2: 180})
    assert held_out_score(unlucky, BASELINE) == pytest.approx(-0.01)
    assert held_out_score(unlucky, BASELINE, without=1) == pytest.approx(-0.01)
    assert held_out_score(choice("none", 1, {7: 5}), BASELINE) == float("inf")
    assert lowest([BASELINE, unlucky], BASELINE) == [unlucky]
    assert lowest([choice("none", 1, {7: 5})], BASELINE) == []


def test_the_distilled_choice_of_a_seed_is_made_without_it() -> None:
    """Each student is lucky in one seed, on held-out and on test data alike; that is no gain of the method."""
    students = [
        choice(
            f"lucky in {lucky}", 2, {seed: 100 if seed == lucky else 200 + lucky for seed in range(3)}, role="distilled"
        )
        for lucky in range(3)
    ]
    plain = choice("baseline", 1, dict.fromkeys(range(3), 200))
    added = added_by_distillation([plain, *students], plain, 1000)
    assert added is not None
    # Without seed 0 the one that is lucky in 1 is chosen, and so on: none of them is lucky in its own seed.
    assert added.second.sum(1).tolist() == [201, 200, 200]
    assert added.interval.estimate > 0
    assert added.times_chosen == 2


def test_an_undistilled_choice_may_not_cost_more() -> None:
    student = choice("student", 2, {0: 150, 1: 160, 2: 140}, role="distilled")
    dear = choice("dear", 3, {0: 10, 1: 10, 2: 10})
    bound = choice("bound", 2, {0: 10, 1: 10, 2: 10}, role="bound")
    added = added_by_distillation([BASELINE, dear, bound, student], BASELINE, 100)
    assert added is not None
    assert (added.distilled, added.undistilled) == (student, BASELINE)
    assert added.interval.estimate == pytest.approx(-5)
    assert added_by_distillation([BASELINE, dear], BASELINE, 100) is None
    assert added_by_distillation([dear, student], BASELINE, 100) is None


def test_with_one_seed_the_claim_is_about_its_networks() -> None:
    first, student = choice("baseline", 1, {4: 200}), choice("student", 2, {4: 150}, role="distilled")
    added = added_by_distillation([first, student], first, 100)
    assert added is not None
    assert added.interval.scope == "conditional on these networks"


@pytest.mark.parametrize(("seeds", "images", "spread"), [(4, 2000, 0.02), (6, 4000, 0.03)])
def test_as_many_seeds_as_are_said_to_be_needed_find_the_difference(seeds: int, images: int, spread: float) -> None:
    rng = np.random.default_rng(seeds)
    gain = 0.02
    told = []
    for _ in range(200):
        first, second = paired_errors(rng, seeds, images, gain, spread=spread)
        if abs(float((second - first).mean()) + gain) < 0.002 and (count := needed(first, second).seeds):
            told.append(count)
    enough = int(np.median(told))
    assert enough > seeds
    found = [
        crossed_interval(*paired_errors(rng, enough, images, gain, spread=spread), level=0.975).distinguishable
        for _ in range(300)
    ]
    assert 0.65 < np.mean(found) < 0.95


def test_more_images_are_asked_for_where_seeds_do_not_help() -> None:
    """The same images in every seed: the difference is of these images, and each further seed repeats it."""
    first = np.zeros((3, 400))
    second = np.tile(errors(12, 100)[:400].astype(float) - errors(10, 300)[:400], (3, 1))
    found = needed(first, second)
    assert found.seeds is None
    assert found.images is not None
    assert found.images > 10_000
    assert needed(first, first).images is None
    with pytest.raises(ValueError, match="one seed"):
        needed(first[:1], second[:1])
