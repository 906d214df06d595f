"""Names of generations, and specs as flat fields that can be compared."""

from typing import Any

from ban_ray.specs import Generation, Objective, canonical_json

SEEDS_AND_TEACHERS = {"seed", "augmentation_seed", "teachers"}


def generation_name(number: int, objective: Objective | None = None) -> str:
    """``baseline``, ``BAN-k``, or ``network k`` for a label-only network after the first."""
    if not number:
        return "baseline"
    return f"BAN-{number}" if objective is None or objective.needs_teacher else f"network {number + 1}"


def spec_of(generation: Generation) -> str:
    """Canonical JSON of a generation without its seeds and teachers."""
    return canonical_json(generation.model_dump(exclude_defaults=True, exclude=SEEDS_AND_TEACHERS)).decode()


def flat(generation: Generation) -> dict[str, Any]:
    """The fields of a spec, seeds and teachers aside; those of the task and recipe by their own names."""
    plain = generation.model_dump(mode="json", exclude=SEEDS_AND_TEACHERS)
    task, recipe = plain.pop("task"), plain.pop("recipe")
    return {**plain, "task": task.pop("name"), **task, **recipe, "objective": str(generation.objective)}


def differences(generation: Generation, other: Generation) -> dict[str, tuple[Any, Any]]:
    """Fields in which two specs differ, seeds and teachers aside."""
    first, second = flat(generation), flat(other)
    names = dict.fromkeys([*first, *second])
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}
