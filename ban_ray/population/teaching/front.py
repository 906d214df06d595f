"""``front``: a member drawn from the Pareto front of held-out error against parameters."""

import random
from dataclasses import dataclass
from typing import ClassVar

from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe


@register
@dataclass(frozen=True)
class Front(TeacherPolicy):
    """Each member that no other beats in both is as likely."""

    name = "front"
    form = "front"
    pattern = "front"
    is_drawn: ClassVar[bool] = True

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        members = candidates.chosen_by(self.text)
        from ban_ray.evaluation.pareto import pareto_front

        front = pareto_front([(candidate.error, candidate.parameters) for candidate in members])
        drawn = members[random.Random(seed).choice(front)]
        metric = candidates.metric
        return SelectedTeachers(
            (drawn.key,),
            f"drawn from the {len(front)} of {len(members)} members on the front of held-out {metric.name} and "
            f"parameters ({metric.text(drawn.error)}): {describe(drawn.member)}",
        )
