"""The fields that can be set and searched, by dotted names such as ``recipe.learning_rate``."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue

from ban_ray.cli.pairs import nearest
from ban_ray.cli.params import option_name
from ban_ray.errors import UserError
from ban_ray.specs.base import Spec
from ban_ray.specs.objective import Objective
from ban_ray.specs.recipe import Recipe
from ban_ray.specs.space import SearchSpace
from ban_ray.specs.task import Task

MODELS: Mapping[str, type[Spec]] = {"recipe": Recipe, "objective": Objective, "task": Task}
OBJECTIVE_NAME = "objective.name"
_OTHERWISE = {
    "recipe.teacher_outputs": "--teacher-cache, which says how large the cache is",
    "task.name": "--task",
    "task.fingerprint": "--data, whose digest it is",
    **{
        f"task.{field}": option_name(field)
        for field in ("split_seed", "label_noise", "noise_kind", "protocol", "tokens", "flip")
    },
}
"""Fields that an option sets, with more than their value or before the data are read."""


class Field(NamedTuple):
    """A field, or an entry of a field that is a mapping.

    Attributes:
        path: names of the fields and of the entry, from the model's name on.
        annotation: the type of its values.
        is_entry: whether it is an entry of a mapping, whose values may have any type.
    """

    path: tuple[str, ...]
    annotation: Any
    is_entry: bool


def field_names() -> list[str]:
    """The names of all fields that can be set."""
    names = [name for root, model in MODELS.items() for name in _names(root, model)]
    return [name for name in names if name not in _OTHERWISE]


def find_field(name: str) -> Field:
    """The field of a dotted name.

    Raises:
        UserError: there is no such field, or an option of its own sets it.
    """
    if name in _OTHERWISE:
        raise UserError(f"{name} has an option of its own: {_OTHERWISE[name]}")
    root, *path = name.split(".")
    field = _find(MODELS[root], path) if root in MODELS and all(path) else None
    if field is None:
        raise UserError(f"there is no field {name!r}; {nearest(name, field_names())}")
    return field._replace(path=(root, *path))


def is_chosen_by(space: SearchSpace, name: str) -> bool:
    """Whether a space decides a field itself."""
    root, field, *_ = name.split(".")
    return not space.chooses.isdisjoint((root, field, f"{root}.{field}"))


def _names(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _without_none(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(f"{prefix}.{name}", inner)
        else:
            yield f"{prefix}.{name}"


def _find(model: type[BaseModel], path: Sequence[str]) -> Field | None:
    if not path or path[0] not in model.model_fields:
        return None
    info = model.model_fields[path[0]]
    annotation: Any = Annotated[info.annotation, info]
    inner = _without_none(info.annotation)
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return _find(inner, path[1:])
    for _ in path[1:]:
        arguments = get_args(inner)
        if get_origin(inner) is not None and issubclass(get_origin(inner), Mapping):
            annotation = arguments[1]
        elif inner is not JsonValue and inner is not Any:
            return None
        inner = _without_none(annotation)
    return Field((), annotation, is_entry=len(path) > 1)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        others = [part for part in get_args(annotation) if part is not type(None)]
        return _without_none(others[0]) if len(others) == 1 else annotation
    return annotation
