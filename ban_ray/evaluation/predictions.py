"""A member's predictions as they are stored: distributions over few classes, three numbers of each over many."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LogProbabilities = NDArray[np.floating]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class TokenOutputs:
    """What is stored of a distribution over a vocabulary at each of n tokens, which would be too large.

    Attributes:
        label: (n,) float32, log-probability of the token that came, nats.
        predicted: (n,) int64, the most probable token, the first on ties.
        top: (n,) float32, its log-probability, nats.
    """

    label: LogProbabilities
    predicted: Labels
    top: LogProbabilities

    def __len__(self) -> int:
        return len(self.label)


Outputs = LogProbabilities | TokenOutputs
"""Log-probabilities (n, classes), float32 where they are stored, or what is stored of those of tokens."""


def of_labels(outputs: Outputs, labels: Labels) -> NDArray[np.floating]:
    """(n,) log-probability of the true class, nats."""
    if isinstance(outputs, TokenOutputs):
        return outputs.label
    return np.asarray(outputs[np.arange(len(labels)), labels])


def predicted(outputs: Outputs) -> NDArray[np.int64]:
    """(n,) the most probable class, the first on ties."""
    return outputs.predicted if isinstance(outputs, TokenOutputs) else np.asarray(outputs.argmax(1))


def confidence(outputs: Outputs) -> NDArray[np.float64]:
    """(n,) the largest probability."""
    return np.exp((outputs.top if isinstance(outputs, TokenOutputs) else outputs.max(1)).astype(np.float64))


def entropies(outputs: Outputs) -> NDArray[np.float64]:
    """(n,) nats; NaN of tokens."""
    if isinstance(outputs, TokenOutputs):
        return np.full(len(outputs), np.nan)
    probabilities = np.exp(outputs.astype(np.float64))
    # 0 log 0 is 0, also where the logarithm was stored as -inf.
    return np.asarray(-np.where(probabilities > 0, probabilities * np.maximum(outputs, -1e4), 0).sum(1))


def classes_of(outputs: Outputs) -> int | None:
    """The number of classes; None of tokens."""
    return None if isinstance(outputs, TokenOutputs) else int(outputs.shape[1])


def to_arrays(part: str, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
    """The arrays of a file, whose names begin with the part's."""
    if isinstance(outputs, TokenOutputs):
        return {part: outputs.label, f"{part}_predicted": outputs.predicted, f"{part}_top": outputs.top}
    return {part: outputs}


def from_arrays(part: str, arrays: Mapping[str, NDArray[np.generic]], labels: NDArray[np.generic]) -> Outputs:
    """The inverse of `to_arrays`, for a file that anyone may have written.

    Raises:
        ValueError: the arrays do not fit together.
    """
    outputs = arrays[part]
    tokens = f"{part}_predicted" in arrays
    fit = outputs.dtype == np.float32 and labels.dtype == np.int64 and labels.ndim == 1
    if not fit or outputs.ndim != (1 if tokens else 2) or len(outputs) != len(labels):
        raise ValueError(
            f"the predictions on {part} are {outputs.dtype} {outputs.shape} with labels "
            f"{labels.dtype} {labels.shape}; float32 (n, classes) with int64 (n,) is needed"
        )
    if np.isnan(outputs).any():
        raise ValueError(f"the predictions on {part} are not all numbers")
    if not tokens:
        if len(labels) and not (labels.min() >= 0 and labels.max() < outputs.shape[1]):
            raise ValueError(f"a label on {part} is outside of 0 .. {outputs.shape[1] - 1}")
        return outputs  # type: ignore[return-value]
    chosen, top = arrays[f"{part}_predicted"], arrays[f"{part}_top"]
    if chosen.dtype != np.int64 or top.dtype != np.float32 or not chosen.shape == top.shape == outputs.shape:
        raise ValueError(
            f"the predictions on {part} have tokens {chosen.dtype} {chosen.shape} with {top.dtype} {top.shape}; "
            f"int64 and float32 {outputs.shape} are needed"
        )
    if np.isnan(top).any():
        raise ValueError(f"the predictions on {part} are not all numbers")
    return TokenOutputs(outputs, chosen, top)  # type: ignore[arg-type]


def array_names(part: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the arrays of a part's outputs: of whole distributions, and of tokens."""
    return frozenset({part}), frozenset({part, f"{part}_predicted", f"{part}_top"})
