"""Crossed, paired 0/1 errors with a known true gain."""

import numpy as np
from numpy.typing import NDArray

BASELINE_ERROR = 0.17
HARDEST = 0.95


def paired_errors(
    rng: np.random.Generator,
    seeds: int,
    images: int,
    gain: float,
    *,
    spread: float = 0.003,
    alike: float = 0.7,
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Errors (seeds, images) of baselines and of students, on shared images.

    An image has a probability of being misread, drawn from a beta distribution: many easy images, some hard ones.
    For a share `alike` of the images it is the same for baselines and students, for the others the student's is drawn
    anew, so that the gain varies from image to image. Each network's true error rate has its own standard deviation
    `spread` around the mean over seeds, multiplying all probabilities; expected over seeds and images, students err
    less often by exactly `gain`.
    """
    a = 0.35
    b = a * (HARDEST / BASELINE_ERROR - 1)
    hard = HARDEST * rng.beta(a, b, images)
    anew = HARDEST * rng.beta(a, b, images)
    hard_for_student = np.where(rng.random(images) < alike, hard, anew)
    baseline = 1 + spread * rng.standard_normal((seeds, 1)) / BASELINE_ERROR
    student = 1 + (spread * rng.standard_normal((seeds, 1)) - gain) / BASELINE_ERROR
    draws = rng.random((2, seeds, images), dtype=np.float32)
    return (draws[0] < hard * baseline).astype(np.int8), (draws[1] < hard_for_student * student).astype(np.int8)
