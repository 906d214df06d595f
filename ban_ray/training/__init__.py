"""Training of one generation in one process, or in each process of a group; needs no Ray.

The names of this package import torch when they are first used: the shared memory table below it needs none, nor do
the commands that size it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ban_ray.training.loop import State, TrainingResult, train
    from ban_ray.training.teacher import Teacher

__all__ = ["State", "Teacher", "TrainingResult", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from ban_ray.training import loop, teacher

        return getattr(teacher if name == "Teacher" else loop, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
