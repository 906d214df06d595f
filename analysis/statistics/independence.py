"""Independent chains: those that share members are reduced so that none counts twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.data.chains import RecordedChain
from analysis.statistics.crossed_interval import CrossedInterval, crossed_interval


def independent_chains(chains: Sequence[RecordedChain], generation: int) -> list[RecordedChain]:
    """The first chain through each member of a generation: chains that part later share it."""
    return list({chain.keys[generation]: chain for chain in reversed(chains)}.values())[::-1]


def interval_of_chains(
    chains: Sequence[RecordedChain], first: NDArray[np.generic], second: NDArray[np.generic], scale: float
) -> CrossedInterval:
    """The interval of ``second - first``, losses (chains, images) of what is compared and of its baselines or controls.

    Chains of several roots are left to `crossed_interval`, which averages each root's. Chains of one root are
    averaged by the branches in which they first part: what they share before is what the interval is conditional on.
    """
    baselines, students = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    roots = [chain.root for chain in chains]
    parting = [keys for keys in zip(*(chain.keys for chain in chains), strict=False) if len(set(keys)) > 1]
    if len(set(roots)) == 1 and parting:
        branches = [[n for n, key in enumerate(parting[0]) if key == branch] for branch in dict.fromkeys(parting[0])]
        baselines = np.stack([baselines[positions].mean(0) for positions in branches])
        students = np.stack([students[positions].mean(0) for positions in branches])
        roots = roots[: len(branches)]
    return crossed_interval(baselines, students, roots=roots, scale=scale)
