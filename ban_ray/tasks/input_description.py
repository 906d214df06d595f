"""The inputs of a network in words, code and files, for somebody who is given it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class InputDescription:
    """The inputs and outputs of a network.

    Attributes:
        shapes: of a call, in prose.
        note: how the inputs are made.
        code: Python that makes them.
        files: texts by name, to be written beside the weights.
    """

    classes: int
    channels: int
    shapes: str
    note: str
    code: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
