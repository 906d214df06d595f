"""Mini-batches of which losses are computed: usual, confident, flat and extreme ones."""

import numpy as np

from tests.helpers.literal_losses import Batch, log_softmax

BATCH, CLASSES = 13, 7


def make_batch(scale: float, seed: int, size: int = BATCH) -> Batch:
    rng = np.random.default_rng(seed)
    z, y = rng.normal(size=(size, CLASSES)) * scale, rng.integers(0, CLASSES, size)
    # Confidences that differ between the parts of a batch, so that a sum over a part alone is noticed.
    log_p = log_softmax(rng.normal(size=(size, CLASSES)) * scale * np.linspace(0.1, 3, size)[:, None])
    # The teacher agrees with some of the labels.
    y[::3] = log_p[::3].argmax(1)
    return Batch(z, y, log_p, rng.random((size, CLASSES)))


def extreme_batch() -> Batch:
    """Logits of +-1e4 on both sides, in agreement, in conflict, tied, and all equal."""
    batch = make_batch(1.0, 9)
    teacher = np.random.default_rng(8).choice([-1e4, 0.0, 1e4], (BATCH, CLASSES))
    batch.z = np.random.default_rng(7).choice([-1e4, 0.0, 1e4], (BATCH, CLASSES))
    batch.z[0], teacher[0] = [1e4, *[-1e4] * (CLASSES - 1)], [1e4, *[-1e4] * (CLASSES - 1)]
    batch.z[1], teacher[1] = [-1e4, *[1e4] * (CLASSES - 1)], [1e4, *[-1e4] * (CLASSES - 1)]
    batch.z[2], teacher[2] = 1e4, -1e4
    batch.log_p = log_softmax(teacher)
    return batch


BATCHES = {
    "usual": make_batch(1.0, 0),
    "confident": make_batch(20.0, 1),
    "flat": make_batch(1e-3, 2),
    "large": make_batch(1e4, 3),
    "extreme": extreme_batch(),
}
