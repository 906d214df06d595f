"""One generation in one process, or in each process of a group: torch only, no Ray."""

from ban_ray.training.loop import State, TrainingResult, train
from ban_ray.training.teacher import Teacher

__all__ = ["State", "Teacher", "TrainingResult", "train"]
