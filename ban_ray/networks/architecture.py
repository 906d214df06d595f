"""What every architecture offers."""

from decimal import Decimal
from typing import Protocol


class Architecture(Protocol):
    """What a name stands for; a frozen dataclass."""

    @property
    def name(self) -> str:
        """The normalised name: one spelling for one architecture."""
        ...

    def parameters(self, num_classes: int, in_channels: int) -> int:
        """The number of parameters, every one counted; equal to the built module's.

        Args:
            num_classes: of images, or tokens of a vocabulary.
            in_channels: of images, or characters that a vocabulary's words are spelled with.
        """
        ...


def decimal_text(value: Decimal) -> str:
    """The shortest decimal text: ``0.5`` for 0.50, ``1`` for 1.0."""
    return f"{value.normalize():f}"
