"""The interface of an architecture: what a network's name decides, how many parameters it has, how it is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeVar

from ban_ray.errors import UserError
from ban_ray.networks.names import arguments_text

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class LibraryWeights:
    """Weights that a library offers for a network.

    Attributes:
        tensors: the state dict.
        mean, deviation: of each channel of the images that they were trained on, from 0 to 1.
    """

    tensors: Mapping[str, Tensor]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class Architecture(ABC):
    """A network as its name describes it. Families are subclasses, frozen dataclasses of what the name decides.

    Attributes:
        FORM: of the family's names, for messages.
        PATTERN: a regular expression that the family's names match as a whole, and those of no other family.
        reads: the samples that the network takes; None where only its builder knows.
        recomputable: whether it has modules that can recompute their activations instead of storing them.
        external: whether code outside this package builds it, which may take arguments and raise any exception.
    """

    FORM: ClassVar[str]
    PATTERN: ClassVar[str]
    reads: ClassVar[Literal["images", "text"] | None] = "images"
    recomputable: ClassVar[bool] = False
    external: ClassVar[bool] = False

    @classmethod
    def from_groups(cls, *groups: str | None) -> Self:
        """The architecture of a name, given the groups of `PATTERN`: the fields in order, None for a default.

        Raises:
            UserError: a number in the name is out of range.
        """
        values = zip(fields(cls), groups, strict=True)  # type: ignore[arg-type]
        return cls(**{f.name: (int if f.type in (int, "int") else Decimal)(text) for f, text in values if text})

    @property
    @abstractmethod
    def name(self) -> str:
        """The normal form of the name: one spelling for one architecture."""

    @abstractmethod
    def parameters(self, num_classes: int, in_channels: int) -> int:
        """The number of parameters of the built module, each counted once; computed without torch by our own families.

        Args:
            num_classes: of images, or tokens of a vocabulary.
            in_channels: of images, or characters that a vocabulary's words are spelled with.
        """

    @abstractmethod
    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        """A freshly initialised module; random numbers come from torch's global generator.

        It takes (b, in_channels, h, w) to logits (b, num_classes), or tokens (t, b) to logits (t * b, num_classes),
        step by step.
        """

    def default_weights(self, num_classes: int, in_channels: int) -> LibraryWeights:
        """The weights that the network's library offers for it, from its cache or the Internet.

        Raises:
            UserError: there are none, or they cannot be fetched.
        """
        raise UserError(
            f"network {self.name} has no weights of its own; default is allowed for timm:MODEL and torchvision:MODEL"
        )

    def with_arguments(self, arguments: Mapping[str, object]) -> Self:
        """The same network with arguments for its builder.

        Raises:
            UserError: the builder takes none, or not these.
        """
        raise UserError(
            f"network {self.name} takes no arguments and was given {arguments_text(arguments)}; "
            "only networks from outside ban_ray take some"
        )


@dataclass(frozen=True)
class ExternalNetwork(Architecture):
    """``module:function`` of other code, called with the numbers of classes and channels, and `arguments`."""

    module: str
    function: str
    arguments: Mapping[str, object] = field(default_factory=dict, hash=False)

    external = True

    @property
    def name(self) -> str:
        return f"{self.module}:{self.function}"

    def with_arguments(self, arguments: Mapping[str, object]) -> Self:
        for reserved in ("num_classes", "in_channels"):
            if reserved in arguments:
                raise UserError(
                    f"network {self.name}: the arguments {arguments_text(arguments)} may not hold {reserved}, "
                    "which the task decides"
                )
        return replace(self, arguments=arguments)

    def parameters(self, num_classes: int, in_channels: int) -> int:
        """The number of parameters of the module, which is built to count them; imports torch and the builder's code.

        Raises:
            UserError: the network cannot be built.
        """
        from ban_ray.networks.inspection import count_parameters

        return count_parameters(self, num_classes, in_channels)


FAMILIES: list[type[Architecture]] = []
"""The registered families; `ban_ray.networks.registry` imports all files that register one."""

F = TypeVar("F", bound=type[Architecture])


def register(family: F) -> F:
    """Make a family known by its pattern; a decorator of its class."""
    FAMILIES.append(family)
    return family
