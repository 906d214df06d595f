"""Teachers from the population, selected once: the search records them, and uses them again when it resumes."""

import json

from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.networks.source_version import require_version
from ban_ray.population import Member, Population
from ban_ray.population.layout import teacher_file
from ban_ray.population.lineage import lineage
from ban_ray.search.config.spec import SelectedTeachers
from ban_ray.specs import Task, canonical_json
from ban_ray.specs.teacher_choice import TeacherChoice
from ban_ray.tasks.catalog import metric_of


def select_teachers(
    population: Population, search_name: str, choice: TeacherChoice, task: Task, *, write: bool = True
) -> SelectedTeachers:
    """The teachers that this search has recorded, else those that the choice selects from the population now.

    Args:
        write: whether the selection is recorded.

    Raises:
        UserError: no member fits; or it may have seen the held-out samples, or its code builds another network today.
    """
    file = teacher_file(search_name)
    try:
        recorded = json.loads(population.storage.read(file))
        return SelectedTeachers(tuple(recorded["keys"]), str(recorded["how"]))
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} in {population.storage.url} is damaged; choose another --name") from error
    chosen = _resolve(population, choice, task)
    if write:
        population.storage.create(file, canonical_json({"keys": list(chosen.keys), "how": chosen.description}))
    return chosen


def _resolve(population: Population, choice: TeacherChoice, task: Task) -> SelectedTeachers:
    if choice.kind == "best":
        return _best(population, choice, task)
    try:
        member = population[population.find_key(choice.key)]
    except UserError as error:
        raise UserError(f"--teacher {choice.key}: {error}") from error
    _require_fit(member, task)
    if choice.kind == "member":
        return SelectedTeachers((member.key,), f"named: {_describe(member)}")
    ancestors = [ancestor.member for ancestor in lineage(population, member) if ancestor.member is not None]
    born_again = [ancestor for ancestor in ancestors if ancestor.generation.teachers]
    if not born_again:
        raise UserError(f"--teacher generations:{choice.key}: no born-again generations lead to {_describe(member)}")
    for ancestor in born_again:
        _require_fit(ancestor, task)
    return SelectedTeachers(
        tuple(ancestor.key for ancestor in born_again),
        f"average of the {len(born_again)} born-again generations up to {_describe(member)}",
    )


def _best(population: Population, choice: TeacherChoice, task: Task) -> SelectedTeachers:
    if task.protocol == "paper":
        raise UserError("--teacher best selects on held-out data, which --protocol paper trains on; name a KEY")
    metric = metric_of(task)
    of_task = [
        (value, member.parameters, member.key, member)
        for member in population.records()
        if member.generation.task == task and (value := metric.value_of(member, "held_out")) is not None
    ]
    limit = choice.max_parameters
    # Keys differ, so members themselves are never compared.
    candidates = sorted(entry for entry in of_task if limit is None or entry[1] <= limit)
    bound = f" with at most {limit:,} parameters" if limit else ""
    if not candidates:
        raise UserError(
            f"--teacher best: none of the {len(of_task)} members of this task and split{bound} in "
            f"{population.storage.url}; train some first"
        )
    passed_over: list[str] = []
    for value, _, _, member in candidates:
        try:
            _require_fit(member, task)
        except UserError as error:
            passed_over.append(str(error))
            continue
        but = f", {len(passed_over)} passed over since their code is another here" if passed_over else ""
        how = f"lowest held-out {metric.name} ({metric.text(value)}) of {len(candidates)} members{bound}{but}"
        return SelectedTeachers((member.key,), f"{how}: {_describe(member)}")
    raise UserError(f"--teacher best: none of the {len(candidates)} members{bound} can teach here: {passed_over[0]}")


def _require_fit(member: Member, task: Task) -> None:
    """Refuse a member that may have seen the held-out samples, or whose code builds another network today."""
    spec = member.generation
    if task.leaks_from(spec.task):
        raise UserError(
            f"--teacher {member.key[:12]} trained on {spec.task.name} under {member.split}, and may have seen this "
            "search's held-out samples; only members of the same data and split are allowed"
        )
    if task.normalise != spec.task.normalise:
        raise UserError(
            f"--teacher {member.key[:12]} expects inputs normalised differently (task.normalise), but teacher and "
            "student share their inputs; only members with this search's normalisation are allowed"
        )
    require_version(registry.architecture_of(spec), spec.network_version)


def _describe(member: Member) -> str:
    origin = ", imported" if member.objective == "imported" else f" by {member.objective}"
    return f"{member.generation.network}{origin} ({member.key[:12]})"
