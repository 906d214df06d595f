"""Networks that are built by code outside this package: the user's own, and torchvision's."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ban_ray.errors import UserError

TORCHVISION_FORM = "torchvision:MODEL"
CUSTOM_FORM = "package.module:function"


@dataclass(frozen=True)
class ExternalNetwork:
    """``place:function``, called with the number of classes, of channels, and `arguments`."""

    module: str
    function: str
    arguments: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        return f"{self.module}:{self.function}"

    @property
    def arguments_text(self) -> str:
        """The arguments as JSON, for messages."""
        return as_text(self.arguments)

    def parameters(self, num_classes: int, in_channels: int) -> int:
        """Read off the module, which is built for it; imports torch and the builder's code.

        Raises:
            UserError: the network cannot be built.
        """
        from ban_ray.networks.cost import built_parameters

        return built_parameters(self, num_classes, in_channels)


class CustomNetwork(ExternalNetwork):
    """``package.module:function``, called as ``function(num_classes=, in_channels=, **arguments)``."""


class TorchvisionNetwork(ExternalNetwork):
    """``torchvision:MODEL``, an untrained classification model of ``torchvision.models``."""


def as_text(arguments: Mapping[str, object]) -> str:
    """Arguments as JSON, for messages; what JSON cannot say is written as Python does."""
    return json.dumps(dict(arguments), default=repr)


def one_line(error: Exception) -> str:
    """The message of somebody else's exception, without line breaks; its kind too, where the message says little."""
    text = " ".join(str(error).split())
    return text if isinstance(error, TypeError | ValueError | ImportError) else f"{type(error).__name__}: {text}"


def parse_external(name: str, arguments: Mapping[str, object]) -> ExternalNetwork:
    """The architecture of a name with a colon; nothing is imported, so neither part is known to exist.

    Raises:
        UserError: a part is no identifier, the module is the running program, which is another one in every process,
            or the arguments hold what the task decides.
    """
    place, _, function = name.partition(":")
    for reserved in ("num_classes", "in_channels"):
        if reserved in arguments:
            raise UserError(
                f"network {name}: the arguments {as_text(arguments)} may not hold {reserved}, which the task decides"
            )
    if place == "torchvision" and re.fullmatch(r"\w+", function, re.ASCII):
        return TorchvisionNetwork(place, function.lower(), arguments)
    if place == "__main__":
        raise UserError(
            f"network {name}: __main__ is another module in every process; put {function} into a file of its own and "
            f"name that, as in my_module:{function}"
        )
    if all(part.isidentifier() for part in (*place.split("."), function)):
        return CustomNetwork(place, function, arguments)
    raise UserError(f"unknown network {name!r}; with a colon, {CUSTOM_FORM} and {TORCHVISION_FORM} are allowed")
