"""Ensembles of independent label-only networks: the control of every ensemble of generations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.chain_groups import ChainGroup
from analysis.data.chains import RecordedChain
from analysis.data.study import Study
from analysis.statistics.controls import independent_networks
from analysis.statistics.crossed_interval import CrossedInterval
from analysis.statistics.independence import interval_of_chains
from analysis.statistics.scored_predictions import MemberScores, score_member
from ban_ray.evaluation.ensembles import combine
from ban_ray.population import Predictions

LIMIT = 40
"""Networks of a pool at most, the first in the order of their seeds, so that their predictions fit into memory."""


@dataclass(frozen=True)
class Control:
    """Independent label-only networks, averaged.

    Attributes:
        error: mean over all runs of neighbours in the order of seeds, round the circle; in the metric's unit.
        interval: the ensemble minus disjoint sets of control networks, one set a chain.
    """

    size: int
    error: float
    interval: CrossedInterval


class IndependentControls:
    """The independent label-only networks of a group's control spec."""

    def __init__(self, study: Study, group: ChainGroup) -> None:
        self._metric = group.metric
        self._stored: dict[str, Predictions] = {}
        for key in independent_networks(study, group)[:LIMIT]:
            stored = study.read_predictions(key)
            if stored is not None:
                self._stored[key] = stored
        self._errors: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def control(self, scores: Mapping[RecordedChain, MemberScores], size: int) -> Control | None:
        """What chains' ensembles are measured against; None where the pool has fewer than `size` networks.

        No network is in two sets, so the differences of chains are independent but for their images.
        """
        if len(self) < size:
            return None
        sets = self._disjoint(list(scores), size)
        ensembles = np.stack([scores[chain].losses for chain, _ in sets])
        controls = np.stack([self._outcome(keys).losses for _, keys in sets])
        interval = interval_of_chains([chain for chain, _ in sets], controls, ensembles, self._metric.scale)
        return Control(size, self._error(size), interval)

    def _outcome(self, keys: Sequence[str]) -> MemberScores:
        stored = [self._stored[key] for key in keys]
        return score_member(combine([predictions.test for predictions in stored]), stored[0].test_labels, self._metric)

    def _error(self, size: int) -> float:
        if size not in self._errors:
            circle = list(self._stored) * 2
            # A run as long as the circle is the same set wherever it starts.
            starts = range(len(self) if size < len(self) else 1)
            runs = [self._outcome(circle[start : start + size]) for start in starts]
            self._errors[size] = float(np.mean([self._metric.mean(run.losses) for run in runs]))
        return self._errors[size]

    def _disjoint(self, chains: Sequence[RecordedChain], size: int) -> list[tuple[RecordedChain, list[str]]]:
        """As many chains as there are sets; a chain's own baseline, if it is in the pool, is in its set."""
        owners = chains[: len(self) // size]
        own = {chain.keys[0] for chain in owners} & self._stored.keys()
        free = iter([key for key in self._stored if key not in own])
        sets: list[tuple[RecordedChain, list[str]]] = []
        for chain in owners:
            # Two chains of one root have one baseline, which goes to the first.
            baseline = [chain.keys[0]] if chain.keys[0] in own else []
            own -= set(baseline)
            sets.append((chain, baseline))
        for _, keys in sets:
            keys += [next(free) for _ in range(size - len(keys))]
        return sets
