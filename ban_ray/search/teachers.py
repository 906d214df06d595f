"""Teachers from the population: chosen once, written down with the search, and used again when it goes on."""

import json
from dataclasses import dataclass

from ban_ray.errors import UserError
from ban_ray.population import Member, Population
from ban_ray.population.lineage import lineage
from ban_ray.specs import Task, canonical_json
from ban_ray.specs.teacher import TeacherChoice


@dataclass(frozen=True)
class Chosen:
    """Keys of the members that teach first generations, and in one phrase how they were chosen."""

    keys: tuple[str, ...]
    how: str


def choose(population: Population, search: str, choice: TeacherChoice, task: Task, *, note: bool = True) -> Chosen:
    """What this search chose before, else the choice as the population answers it now; written down with `note`.

    Raises:
        UserError: nothing fits, or what fits may have seen the held-out samples.
    """
    file = f"searches/{search}/teachers.json"
    try:
        noted = json.loads(population.storage.read(file))
        return Chosen(tuple(noted["keys"]), str(noted["how"]))
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} in {population.storage.url} is damaged; choose another --name") from error
    chosen = _resolve(population, choice, task)
    if note:
        population.storage.create(file, canonical_json({"keys": list(chosen.keys), "how": chosen.how}))
    return chosen


def _resolve(population: Population, choice: TeacherChoice, task: Task) -> Chosen:
    if choice.kind == "best":
        return _best(population, choice, task)
    member = _named(population, choice.key, task)
    if choice.kind == "member":
        return Chosen((member.key,), f"named: {_told(member)}")
    ancestors = [one.member for one in lineage(population, member) if one.member is not None]
    born_again = [one for one in ancestors if one.generation.teachers]
    if not born_again:
        raise UserError(
            f"--teacher generations:{choice.key}: {_told(member)} learned from labels, so no born-again generations "
            "lead to it"
        )
    for one in born_again:
        _require_same_data(one, task)
    return Chosen(
        tuple(one.key for one in born_again),
        f"average of the {len(born_again)} born-again generations up to {_told(member)}",
    )


def _best(population: Population, choice: TeacherChoice, task: Task) -> Chosen:
    if task.protocol == "paper":
        raise UserError("--teacher best selects on held-out data, which --protocol paper trains on; name a KEY")
    of_task = [
        member
        for member in population.records()
        if member.generation.task == task and member.metrics.held_out_error is not None
    ]
    limit = choice.max_parameters
    among = [member for member in of_task if limit is None or member.parameters <= limit]
    if not among:
        bound = f" with at most {limit:,} parameters" if limit else ""
        raise UserError(
            f"--teacher best: none of the {len(of_task)} members of this task and split{bound} in "
            f"{population.storage.url}; train some first"
        )
    best = min(among, key=lambda member: (member.metrics.held_out_error, member.parameters, member.key))
    bound = f" with at most {limit:,} parameters" if limit else ""
    error = best.metrics.held_out_error
    return Chosen((best.key,), f"lowest held-out error ({error:.2f} %) of {len(among)} members{bound}: {_told(best)}")


def _named(population: Population, key: str, task: Task) -> Member:
    keys = population.keys()
    found = [full for full in keys if full.startswith(key)]
    if len(found) != 1:
        raise UserError(
            f"--teacher {key!r} begins the keys of {len(found)} members of {population.storage.url}; "
            "exactly one is needed"
        )
    member = population[found[0]]
    _require_same_data(member, task)
    return member


def _require_same_data(member: Member, task: Task) -> None:
    theirs = member.generation.task
    if task.leaks_from(theirs):
        raise UserError(
            f"--teacher {member.key[:12]} trained on {theirs.name} under protocol {theirs.protocol}, split seed "
            f"{theirs.split_seed}, and may have seen this search's held-out samples; only members of the same data "
            "and split are allowed"
        )


def _told(member: Member) -> str:
    return f"{member.generation.network} by {member.generation.objective} ({member.key[:12]})"
