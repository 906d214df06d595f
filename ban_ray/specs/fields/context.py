"""A space's context with other values of some fields."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from ban_ray.objectives import LOSSES
from ban_ray.specs.fields.names import MODELS, OBJECTIVE_NAME
from ban_ray.specs.generation import Generation
from ban_ray.specs.objective import Objective
from ban_ray.specs.space import SpaceContext


def with_settings(context: SpaceContext, values: Mapping[str, Any]) -> SpaceContext:
    """The context with other values of some fields. An entry of a mapping leaves the other entries as they are.

    Args:
        values: by the fields' names, as `read_value` returns them. Another objective keeps the weights that it uses.

    Raises:
        ValidationError: values that are not allowed beside each other.
    """
    if not values:
        return context
    changes: dict[str, dict[tuple[str, ...], Any]] = {root: {} for root in MODELS}
    for name, value in values.items():
        root, *path = name.split(".")
        changes[root][tuple(path)] = value
    objective = context.objective
    if changes["objective"]:
        used = LOSSES[values.get(OBJECTIVE_NAME, objective.name)].used_fields()
        kept = {field: value for field, value in objective.model_dump().items() if field in ("name", *used)}
        objective = Objective.model_validate({**kept, **_updates(objective, changes["objective"])})
    changed_fields = _updates(context.recipe, changes["recipe"])
    return replace(
        context,
        task=context.task.model_copy(update=_updates(context.task, changes["task"])),
        recipe=context.recipe.model_copy(update=changed_fields),
        objective=objective,
        recipe_changes={**context.recipe_changes, **changed_fields},
    )


def value_in(source: Generation | SpaceContext, name: str) -> Any:
    """The value of a field; None where a mapping has no such entry."""
    value: Any = source
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part)
    return value


def _updates(spec: BaseModel, changes: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """The values of a spec's own fields after some changes below them."""
    updates: dict[str, Any] = {}
    for (field, *rest), value in changes.items():
        updates[field] = _changed(updates.get(field, getattr(spec, field)), rest, value)
    return updates


def _changed(value: Any, path: Sequence[str], new: Any) -> Any:
    if isinstance(value, BaseModel) and path:
        return value.model_copy(update=_updates(value, {tuple(path): new}))
    if path:
        entries = value if isinstance(value, Mapping) else {}
        return {**entries, path[0]: _changed(entries.get(path[0]), path[1:], new)}
    return {**value, **new} if isinstance(value, Mapping) and isinstance(new, Mapping) and new else new
