"""The base classes of augmentations and their registry; imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from torch import Generator, Tensor

Draws = dict[str, "Tensor"]
"""Random numbers of a batch by name, each of shape (b, ...)."""


@dataclass(frozen=True)
class Augmentation(ABC):
    """A random change of training images; a subclass is a frozen dataclass whose fields are its arguments.

    Attributes:
        name: in recipes and on the command line.
        stage: augmentations of a recipe are in the order of their stages.
    """

    name: ClassVar[str]
    stage: ClassVar[int]

    ranges: ClassVar[dict[str, tuple[float, float]]] = {}
    """The closed range of each argument."""

    @abstractmethod
    def draw(self, generator: Generator, batch: int, height: int, width: int) -> Draws:
        """The random numbers of a whole batch of images of a size, on the CPU: a function of the generator alone."""

    def __str__(self) -> str:
        """``NAME`` or ``NAME:argument=value:argument=value``, without arguments at their defaults."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: value for name, value in given.items() if value != type(self)._defaults()[name]}
        numbers = {name: int(value) if value == int(value) else value for name, value in changed.items()}
        return ":".join([self.name, *(f"{name}={number}" for name, number in numbers.items())])

    @classmethod
    def parse(cls, text: str) -> Augmentation:
        """Read what `__str__` writes.

        Raises:
            ValueError: unknown name or argument, no number, or a value out of range.
        """
        name, *given = text.split(":")
        if name not in AUGMENTATIONS:
            raise ValueError(f"augmentation {name!r} is unknown; allowed are {', '.join(sorted(AUGMENTATIONS))}")
        kind = AUGMENTATIONS[name]
        arguments: dict[str, float] = {}
        for pair in given:
            argument, _, value = pair.partition("=")
            if argument not in kind._defaults() or argument in arguments:
                allowed = ", ".join(kind._defaults()) or "none"
                raise ValueError(f"augmentation {text!r}: {pair!r} is no argument of {name}; it has {allowed}")
            try:
                arguments[argument] = type(kind._defaults()[argument])(value)
            except ValueError:
                raise ValueError(f"augmentation {text!r}: {value!r} is no value of {argument}") from None
        for argument, (low, high) in kind.ranges.items():
            if not low <= arguments.get(argument, kind._defaults()[argument]) <= high:
                raise ValueError(f"augmentation {text!r}: {argument} must be between {low:g} and {high:g}")
        return kind(**arguments)

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        return {field.name: field.default for field in fields(cls)}


class PixelAugmentation(Augmentation):
    """Changes bytes (b, height, width, channels)."""

    stage = 1

    @abstractmethod
    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Images of the same shape and type; draws are on their device."""


class ImageAugmentation(Augmentation):
    """Changes normalised images (b, channels, height, width)."""

    stage = 2

    @abstractmethod
    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        """Images of the same shape and type; draws are on their device."""


class MixingAugmentation(Augmentation):
    """Mixes normalised images with others of their batch, and so their labels."""

    stage = 3

    @abstractmethod
    def mix(self, images: Tensor, others: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The mixed images (b, channels, height, width), and the share (b,) that each of `images` has in them."""


AUGMENTATIONS: dict[str, type[Augmentation]] = {}
"""The registered augmentations by name."""

A = TypeVar("A", bound=Augmentation)


def register(augmentation: type[A]) -> type[A]:
    """Class decorator that makes an augmentation known by its name.

    Raises:
        ValueError: another one has its name.
    """
    if augmentation.name in AUGMENTATIONS:
        raise ValueError(f"augmentation {augmentation.name!r} is registered twice")
    AUGMENTATIONS[augmentation.name] = augmentation
    return augmentation
