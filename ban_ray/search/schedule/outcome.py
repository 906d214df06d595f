"""The outcome of a chain of a search."""

from dataclasses import dataclass
from typing import Literal

from ban_ray.search.config.spec import PlannedChain


@dataclass(frozen=True)
class ChainOutcome:
    """The end of a chain, with a message unless it has trained all its generations.

    Attributes:
        status: ``done``; ``failed``; ``pruned``, without a value, since others were better at the same rung;
            ``saturated``, with the value of its trained generations; ``interrupted`` by the time budget, to be resumed.
    """

    status: Literal["done", "failed", "pruned", "saturated", "interrupted"]
    message: str = ""


DONE = ChainOutcome("done")

ChainResult = tuple[PlannedChain, ChainOutcome]
