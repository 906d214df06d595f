"""Non-dominated ranks and the Pareto front."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ban_ray.evaluation.pareto import non_dominated_ranks, pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2)), max_size=12)


def beats(first: Sequence[float], second: Sequence[float]) -> bool:
    return all(x <= y for x, y in zip(first, second, strict=True)) and tuple(first) != tuple(second)


@given(POINTS)
def test_the_front_is_what_no_point_beats(points: list[tuple[int, ...]]) -> None:
    front = [number for number, point in enumerate(points) if not any(beats(other, point) for other in points)]
    assert sorted(pareto_front(points)) == front
    assert [points[number] for number in pareto_front(points)] == sorted(points[number] for number in front)


@given(POINTS)
def test_a_rank_is_the_front_of_what_earlier_ranks_leave(points: list[tuple[int, ...]]) -> None:
    ranks = non_dominated_ranks(points)
    assert all(type(rank) is int for rank in ranks)
    for rank in range(max(ranks, default=-1) + 1):
        remaining = [number for number in range(len(points)) if ranks[number] >= rank]
        front = [remaining[number] for number in pareto_front([points[number] for number in remaining])]
        assert sorted(front) == [number for number in remaining if ranks[number] == rank]


@pytest.mark.parametrize(("values", "ranks"), [([3.0, 1.0, 2.0, 1.0], [2, 0, 1, 0]), ([], [])])
def test_one_target_is_the_order_of_its_values(values: list[float], ranks: list[int]) -> None:
    assert non_dominated_ranks([(value,) for value in values]) == ranks
