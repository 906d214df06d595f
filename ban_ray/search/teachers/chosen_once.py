"""Teachers that are chosen once, before a search starts; it records them, and uses them again when it resumes."""

import json

from ban_ray.errors import UserError
from ban_ray.population import Population
from ban_ray.population.layout import teacher_file
from ban_ray.population.teaching import Candidates, SelectedTeachers, TeacherPolicy
from ban_ray.specs import Task, canonical_json


def recorded_teachers(population: Population, search_name: str) -> SelectedTeachers | None:
    """The teachers that a search chose before it started; None if it has no record of any.

    Raises:
        UserError: the record is damaged.
    """
    file = teacher_file(search_name)
    try:
        recorded = json.loads(population.storage.read(file))
        return SelectedTeachers(tuple(recorded["keys"]), str(recorded["how"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} in {population.storage.url} is damaged; choose another --name") from error


def select_teachers(
    population: Population,
    search_name: str,
    policy: TeacherPolicy,
    task: Task,
    *,
    num_classes: int | None = None,
    write: bool = True,
) -> SelectedTeachers:
    """The teachers that this search has recorded, else those that a policy selects from the population now.

    Args:
        num_classes: of the task's data.
        write: whether the selection is recorded.

    Raises:
        UserError: no member fits; or it may have seen the held-out samples, or its code builds another network today.
    """
    if (recorded := recorded_teachers(population, search_name)) is not None:
        return recorded
    chosen = policy.select(Candidates(population, task, num_classes), 0)
    if write:
        record = {"keys": list(chosen.keys), "how": chosen.description}
        population.storage.create(teacher_file(search_name), canonical_json(record))
    return chosen
