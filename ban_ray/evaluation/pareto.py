"""Order among points that are all to be minimised: dominance, non-dominated rank, the Pareto front."""

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
    found, rank, met = np.full(len(table), -1), 0, np.sum(dominates, axis=0)
    while np.any(found < 0):
        front = (met == 0) & (found < 0)
        found[front] = rank
        met = met - np.sum(dominates[front], axis=0)
        rank += 1
    return [int(rank) for rank in found]


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Positions of the points that no other dominates, by their first target."""
    front = [position for position, rank in enumerate(non_dominated_ranks(points)) if rank == 0]
    return sorted(front, key=lambda position: tuple(points[position]))
