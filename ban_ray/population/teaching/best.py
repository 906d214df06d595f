"""``best`` and ``best:parameters=N``: the member of lowest held-out error, of those up to a size."""

from dataclasses import dataclass
from typing import Self

from ban_ray.errors import UserError
from ban_ray.population.teaching.base import SelectedTeachers, TeacherPolicy, register
from ban_ray.population.teaching.candidates import Candidates, describe


@register
@dataclass(frozen=True)
class Best(TeacherPolicy):
    """The member of this task and split with the lowest held-out error; of equal ones the smallest."""

    name = "best"
    form = "best, best:parameters=N"
    pattern = "best(?::parameters=([1-9](?:_?[0-9]){0,18}))?"

    max_parameters: int | None = None

    @classmethod
    def of_groups(cls, *groups: str) -> Self:
        return cls(*map(int, groups))

    @property
    def text(self) -> str:
        return "best" if self.max_parameters is None else f"best:parameters={self.max_parameters}"

    def recorded(self) -> dict[str, object]:
        return {"kind": "best", "key": "", "max_parameters": self.max_parameters}

    def select(self, candidates: Candidates, seed: int) -> SelectedTeachers:
        candidates.require_held_out("best")
        limit, of_task = self.max_parameters, candidates.of_task
        small = [candidate for candidate in of_task if limit is None or candidate.parameters <= limit]
        bound = f" with at most {limit:,} parameters" if limit else ""
        if not small:
            raise UserError(
                f"--teacher best: none of the {len(of_task)} members of this task and split{bound} in "
                f"{candidates.population.storage.url}; train some first"
            )
        passed_over: list[str] = []
        for candidate in small:
            if obstacle := candidates.obstacle(candidate.member):
                passed_over.append(obstacle)
                continue
            but = f", {len(passed_over)} passed over since their code is another here" if passed_over else ""
            metric = candidates.metric
            how = f"lowest held-out {metric.name} ({metric.text(candidate.error)}) of {len(small)} members{bound}{but}"
            return SelectedTeachers((candidate.key,), f"{how}: {describe(candidate.member)}")
        raise UserError(f"--teacher best: none of the {len(small)} members{bound} can teach here: {passed_over[0]}")
