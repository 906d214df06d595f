"""Networks that are built by code outside this package: the user's own, and torchvision's."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.names import arguments_text


@dataclass(frozen=True)
class ExternalNetwork(Architecture):
    """``module:function``, called with the number of classes, the number of channels, and `arguments`."""

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
