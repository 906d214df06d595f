"""Holm's step-down correction for several comparisons."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values (n,), in the order given; the chance of any false rejection stays at most the level.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6, 1979.

    Raises:
        ValueError: a value outside 0..1.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values must be a vector of numbers from 0 to 1, not {values.tolist()}")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
