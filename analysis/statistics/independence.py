"""Independent chains: those that share members are reduced so that none counts twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.data.chains import RecordedChain


@dataclass(frozen=True)
class IndependentRows:
    """Losses (rows, images) of baselines or controls and of what is compared with them, and each row's root."""

    first: NDArray[np.floating]
    second: NDArray[np.floating]
    roots: tuple[str, ...]


def independent_chains(chains: Sequence[RecordedChain], generation: int) -> list[RecordedChain]:
    """The first chain through each member of a generation: chains that part later share it."""
    return list({chain.keys[generation]: chain for chain in reversed(chains)}.values())[::-1]


def independent_rows(
    chains: Sequence[RecordedChain], first: NDArray[np.generic], second: NDArray[np.generic]
) -> IndependentRows:
    """The rows of an interval from one pair of losses a chain.

    Chains of several roots are left to `crossed_interval`, which averages each root's. Chains of one root are
    averaged by the branches in which they first part: what they share before is what the interval is conditional on.
    """
    baselines, students = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    roots = tuple(chain.root for chain in chains)
    if len(set(roots)) > 1 or len(chains) < 2:
        return IndependentRows(baselines, students, roots)
    length = min(len(chain.keys) for chain in chains)
    parting = next(
        (position for position in range(length) if len({chain.keys[position] for chain in chains}) > 1), None
    )
    if parting is None:
        return IndependentRows(baselines, students, roots)
    branches: dict[str, list[int]] = {}
    for position, chain in enumerate(chains):
        branches.setdefault(chain.keys[parting], []).append(position)
    groups = list(branches.values())
    return IndependentRows(
        np.stack([baselines[positions].mean(0) for positions in groups]),
        np.stack([students[positions].mean(0) for positions in groups]),
        roots[: len(groups)],
    )
