"""How a chain of a search ends."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ChainOutcome:
    """How a chain ended, with a sentence where it was not by training all its generations.

    Attributes:
        kind: ``done``; ``failed``; ``stopped``, since others were better at the same place, which leaves it without a
            value; ``saturated``, with the value of what it trained; ``interrupted`` by a budget, to go on next time.
    """

    status: Literal["done", "failed", "stopped", "saturated", "interrupted"]
    message: str = ""


DONE = ChainOutcome("done")
