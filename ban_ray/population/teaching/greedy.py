"""``greedy:K``: the set of up to K members whose average has the lowest held-out error, built one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

from ban_ray.errors import DamagedMember
from ban_ray.population.teaching.base import WHOLE, SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidate, Candidates, describe

if TYPE_CHECKING:
    from ban_ray.population.decoding import Predictions

MAX_CANDIDATES = 50
"""Members that compete: those of lowest held-out error. More of them overfit the held-out data (Caruana et al. 2006)
and cost the time of reading their predictions."""


@register
@dataclass(frozen=True)
class Greedy(TeacherPolicy):
    """Ensemble selection with replacement (Caruana et al. 2004); a member that is chosen twice has twice the weight."""

    name = "greedy"
    form = "greedy:K"
    pattern = f"greedy:{WHOLE}"

    size: int

    @property
    def text(self) -> str:
        return f"greedy:{self.size}"

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        competing: list[tuple[Candidate, Predictions]] = []
        for candidate in candidates.chosen_by(self.text):
            try:
                competing.append((candidate, candidates.population.predictions(candidate.member)))
            except DamagedMember:
                # `verify` reports it; it teaches nobody.
                continue
            if len(competing) == MAX_CANDIDATES:
                break
        if not competing:
            raise DamagedMember(f"--teacher {self.text}: the predictions of every candidate are missing or damaged")
        labels, metric = competing[0][1].held_out_labels, candidates.metric
        outputs = [predictions.held_out for _, predictions in competing]
        from ban_ray.evaluation.greedy import greedy_selection

        chosen, loss = greedy_selection(outputs, labels, metric, self.size)
        counts = Counter(chosen)
        # Weights of 2, 2 and 4 are those of 1, 1 and 2, and the order of the sum means nothing.
        divisor = gcd(*counts.values())
        weights = {position: counts[position] // divisor for position in sorted(counts)}
        words = [
            f"{describe(competing[position][0].member)}{f' {weight} times' if weight > 1 else ''}"
            for position, weight in weights.items()
        ]
        return SelectedTeachers(
            tuple(competing[position][0].key for position, weight in weights.items() for _ in range(weight)),
            f"greedy choice of {len(chosen)} with repetition from {len(competing)} members, held-out {metric.name} "
            f"{metric.text(metric.value(loss))} (chosen by it, so biased low): {', '.join(words)}",
        )
