"""Which chains are independent of each other, so that none counts twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.chains import Chain


@dataclass(frozen=True)
class Rows:
    """Losses (rows, images) of baselines or controls and of what is compared with them, and each row's root."""

    first: NDArray[np.floating]
    second: NDArray[np.floating]
    roots: tuple[str, ...]


def distinct(chains: Sequence[Chain], generation: int) -> list[Chain]:
    """The first chain through each member of a generation: chains that part later share it."""
    return list({chain.keys[generation]: chain for chain in reversed(chains)}.values())[::-1]


def rows(chains: Sequence[Chain], first: NDArray[np.generic], second: NDArray[np.generic]) -> Rows:
    """The rows of an interval from one pair of losses a chain.

    Chains of several roots are left to `crossed_interval`, which averages each root's. Chains of one root are
    averaged by the branches in which they first part: what they share before is what the interval is conditional on.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    roots = tuple(chain.root for chain in chains)
    if len(set(roots)) > 1 or len(chains) < 2:
        return Rows(one, other, roots)
    length = min(len(chain.keys) for chain in chains)
    parting = next((place for place in range(length) if len({chain.keys[place] for chain in chains}) > 1), None)
    if parting is None:
        return Rows(one, other, roots)
    branches: dict[str, list[int]] = {}
    for place, chain in enumerate(chains):
        branches.setdefault(chain.keys[parting], []).append(place)
    groups = list(branches.values())
    return Rows(
        np.stack([one[places].mean(0) for places in groups]),
        np.stack([other[places].mean(0) for places in groups]),
        roots[: len(groups)],
    )
