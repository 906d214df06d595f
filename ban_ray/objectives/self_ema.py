"""``self-ema``: the network's own moving average as its teacher, in one training."""

from __future__ import annotations

from dataclasses import dataclass

from ban_ray.objectives.base import register
from ban_ray.objectives.mix import LabelTeacherMixture


@register
@dataclass(frozen=True)
class OwnAverageTeacher(LabelTeacherMixture):
    """`mix` with the exponential moving average of the network's own weights as the teacher.

    A mean teacher (Tarvainen and Valpola 2017) on labelled samples, and self-distillation without a second training as
    in PS-KD (Kim et al. 2021), whose teacher is the network after the last epoch.
    """

    name = "self-ema"
    needs_teacher = False
    needs_own_average = True

    teacher_decay: float
