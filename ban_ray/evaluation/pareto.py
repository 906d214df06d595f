"""The order of points whose coordinates are all minimised: non-dominated ranks and the Pareto front."""

from collections.abc import Sequence

import numpy as np

Point = Sequence[float]


def non_dominated_ranks(points: Sequence[Point]) -> list[int]:
    """Non-dominated ranks: 0 for the Pareto front, 1 for the front of what is left, and so on; equal points share one.

    With one target this is the order of the values.
    """
    if not points:
        return []
    table = np.asarray(points, dtype=float)
    if table.shape[1] == 1:
        return [int(rank) for rank in np.unique(table[:, 0], return_inverse=True)[1]]
    below = np.all(table[:, None] <= table[None], axis=2)
    dominates = below & ~below.T
    ranks, rank, dominators = np.full(len(table), -1), 0, np.sum(dominates, axis=0)
    while np.any(ranks < 0):
        front = (dominators == 0) & (ranks < 0)
        ranks[front] = rank
        dominators = dominators - np.sum(dominates[front], axis=0)
        rank += 1
    return ranks.tolist()


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Positions of the points that no other dominates, in the points' lexicographic order."""
    front: list[int] = []
    # A point is dominated only by points before it, and then by one of the front.
    for position in sorted(range(len(points)), key=lambda position: tuple(points[position])):
        point = tuple(points[position])
        if not any(_dominates(tuple(points[other]), point) for other in front):
            front.append(position)
    return front


def _dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(x <= y for x, y in zip(first, second, strict=True))
