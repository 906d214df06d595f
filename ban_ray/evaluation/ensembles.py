"""Ensembles from stored predictions: the average of the members' probabilities (workshop equation 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ban_ray.evaluation.predictions import LogProbabilities, Outputs, TokenOutputs


def average(members: Sequence[LogProbabilities]) -> NDArray[np.float64]:
    """Log of the mean probability: k arrays (n, C) of log-probabilities to one (n, C).

    Raises:
        ValueError: no member, or shapes that differ.
    """
    if not members:
        raise ValueError("an ensemble needs at least one member")
    if len({member.shape for member in members}) > 1:
        raise ValueError(f"members predict different shapes: {sorted({member.shape for member in members})}")
    stacked = np.stack([member.astype(np.float64) for member in members])
    top = stacked.max(0)
    return np.asarray(top + np.log(np.exp(stacked - top).mean(0)))


def average_tokens(members: Sequence[TokenOutputs]) -> TokenOutputs:
    """`average` of tokens: exact for the token that came, and so for the perplexity; raises what `average` does.

    What the ensemble predicts does not follow from what is stored: it is taken to be the token of the largest stored
    probability, which is a lower bound.
    """
    label = average([member.label for member in members])
    predictions = np.stack([member.predicted for member in members])
    tops = np.exp(np.stack([member.top for member in members]).astype(np.float64))
    same = predictions[:, None] == predictions[None, :]
    votes = np.where(same, tops[None, :], 0.0).sum(1)
    best = votes.argmax(0)[None]
    share = np.take_along_axis(votes, best, 0)[0] / len(members)
    with np.errstate(divide="ignore"):
        top = np.log(share).astype(np.float32)
    return TokenOutputs(label.astype(np.float32), np.take_along_axis(predictions, best, 0)[0], top)


def combine(members: Sequence[Outputs]) -> Outputs:
    """The ensemble of members of one task, in the form in which their predictions are stored.

    Raises:
        ValueError: no member, shapes or forms that differ.
    """
    tokens = [member for member in members if isinstance(member, TokenOutputs)]
    distributions = [member for member in members if not isinstance(member, TokenOutputs)]
    if tokens and distributions:
        raise ValueError("members predict different things: some tokens, some distributions")
    return average_tokens(tokens) if tokens else average(distributions)


@dataclass(frozen=True)
class Ensemble:
    """Which generations of a chain Ens*k averages.

    Attributes:
        generations: numbers of the generations, the baseline being 0.
        filled: whether the baseline stands in for a BAN-k that was not trained; such a cell is marked.
    """

    generations: tuple[int, ...]
    filled: bool


def paper_ensemble(k: int, born_again: int) -> Ensemble | None:
    """Ens*k of a chain with `born_again` generations after the baseline, as the papers define it.

    BAN-1 .. BAN-k without the baseline; where just BAN-k was not trained the baseline fills in (80-120's
    Ens*3 in workshop Table 1). None where even that is too short.
    """
    if k < 2:
        raise ValueError(f"Ens*{k} is no ensemble; at least 2 members are needed")
    if born_again >= k:
        return Ensemble(tuple(range(1, k + 1)), False)
    if born_again == k - 1:
        return Ensemble(tuple(range(k)), True)
    return None
