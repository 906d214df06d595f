"""The registered tasks by name. Free of NumPy and torch, for the command line."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from ban_ray.tasks import types
from ban_ray.tasks.task_type import TaskType

if TYPE_CHECKING:
    from ban_ray.evaluation.metrics import Metric
    from ban_ray.specs import Task


def find_task_types() -> dict[str, TaskType[Any]]:
    """Every `TaskType` that a module of `ban_ray.tasks.types` defines, by name in alphabetical order.

    Raises:
        ValueError: two have the same name.
    """
    names = [f"{types.__name__}.{module.name}" for module in pkgutil.iter_modules(types.__path__)]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    registered: dict[str, TaskType[Any]] = {}
    for task_type in (value for value in values if isinstance(value, TaskType)):
        if registered.setdefault(task_type.name, task_type) is not task_type:
            raise ValueError(f"two task types are named {task_type.name!r}")
    return dict(sorted(registered.items()))


TASK_TYPES = find_task_types()


def task_type(name: str) -> TaskType[Any]:
    """The type of a task; a name that is not registered, as members of other versions may have, is one of images."""
    return TASK_TYPES.get(name, TASK_TYPES["folder"])


def metric_of(task: "Task") -> "Metric":
    """What members trained on a task are compared by."""
    return task_type(task.name).metric(task)
