"""Learning-rate schedules: factors of a recipe's learning rate as functions of a training's progress."""

from math import cos, pi
from typing import Literal

Schedule = Literal["steps", "cosine", "linear", "constant", "wsd"]
"""``steps`` drops at given epochs. ``cosine`` (Loshchilov and Hutter 2017, without restarts) and ``linear`` fall from
the end of the warm-up to the end of the training. ``wsd`` (warm-up, stable, decay: Hu et al. 2024) stays until its
last part, in which it falls linearly."""


def decayed(schedule: Schedule, done: float, total: float, *, final: float, decay_part: float, warm_up: float) -> float:
    """The factor of a step of any schedule but ``steps``, warm-up aside.

    Args:
        done: steps before this one, at least `warm_up`.
        total: steps of the training.
        final: the factor that a step after the last one would have, as `torch.optim.lr_scheduler` counts.
        decay_part: of all steps, in which ``wsd`` falls.
        warm_up: steps of the warm-up.
    """
    if schedule == "constant":
        return 1.0
    start = total * (1 - decay_part) if schedule == "wsd" else warm_up
    # Rounded as the drops of `steps` are: a part of the epochs may be a hair above a whole step.
    progress = max(0.0, round(done - start, 9) / (total - start))
    left = (1 + cos(pi * progress)) / 2 if schedule == "cosine" else 1 - progress
    return final + (1 - final) * left


def warmed_up(done: int, warm_up: float) -> float:
    """The factor of a step while the rate rises linearly: ``1 / warm_up`` in the first step, 1 from the last one on."""
    return min(1.0, (done + 1) / warm_up) if warm_up > 0 else 1.0
