"""Errors that are told to the user in one sentence."""

from typing import Literal


class UserError(Exception):
    """Something the user gave cannot be used: what was wrong, its value, what is allowed.

    The command line prints the message alone and exits with status 2.
    """


def storage_sentence(error: OSError) -> str:
    """The sentence for a storage that is full, gone or refuses."""
    text = " ".join(str(error).split())
    return (
        f"a file could not be read or written: {text}; what was published stays, and the same command goes on from here"
    )


class ClusterLost(Exception):
    """Ray has ended under a search; what was published stays, and the same search goes on.

    The command line prints the message alone and exits with status 5.
    """


class PeerLost(Exception):
    """Another process of a training run has died; the run starts anew from its newest checkpoint."""


class DamagedMember(Exception):
    """A member of the population does not match its digests; the message names the file."""

    @property
    def advice(self) -> str:
        """The message, and what to do."""
        return f"{self}; `python -m ban_ray.population verify --set-aside` moves it out of the way"


class GenerationFailed(Exception):
    """A generation cannot be trained and training it again would end the same way.

    Attributes:
        reason: recorded with the failure.
    """

    def __init__(self, reason: Literal["non-finite"], sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, str(self))
