"""A network of the user's own: any importable function that returns a module."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Self

from ban_ray.errors import UserError
from ban_ray.networks.architecture import ExternalNetwork, register
from ban_ray.networks.names import arguments_text, one_line

if TYPE_CHECKING:
    from torch import nn


@register
class CustomNetwork(ExternalNetwork):
    """``package.module:function``, called as ``function(num_classes=, in_channels=, **arguments)``.

    It should take (b, in_channels, h, w) to logits (b, num_classes). Its initialisation is its own. Files that it reads
    belong to its version where its module declares them, as `ban_ray.networks.source_version` says.
    """

    FORM = "package.module:function"
    PATTERN = r"(?!torchvision:|timm:)([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)"
    reads = None

    @classmethod
    def from_groups(cls, *groups: str | None) -> Self:
        """Nothing is imported, so neither part is known to exist.

        Raises:
            UserError: the module is the running program, which is another one in every process.
        """
        module, function = map(str, groups)
        if module == "__main__":
            raise UserError(
                f"network {module}:{function}: __main__ is another module in every process; put {function} into a file "
                f"of its own and name that, as in my_module:{function}"
            )
        return cls(module, function)

    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        """What the user's function returns, as it is.

        Raises:
            RuntimeError, MemoryError: from the function, as it is.
            UserError: the module cannot be imported, has no such function, the function fails, or what it returns is no
                `nn.Module` or has parameters without a size.
        """
        import torch
        from torch.nn.parameter import UninitializedParameter

        try:
            # A count may ask for the meta device, where tensors of the imported module would stay without values.
            with torch.device("cpu"):
                imported = importlib.import_module(self.module)
        except Exception as error:
            # Code that is not ours may raise anything.
            raise UserError(
                f"network {self.name}: module {self.module} cannot be imported ({one_line(error)}); "
                "it must be on Python's path here and on every worker"
            ) from error
        function = getattr(imported, self.function, None)
        if not callable(function):
            raise UserError(
                f"network {self.name}: module {self.module} has no function {self.function}; "
                f"defined there are {', '.join(_public_functions(imported)) or 'none'}"
            )
        try:
            network = function(num_classes=num_classes, in_channels=in_channels, **self.arguments)
        except (RuntimeError, MemoryError):
            # Of torch: code that reads values on the meta device is run again on another, and memory may run out.
            raise
        except Exception as error:
            raise UserError(
                f"network {self.name} cannot be called with num_classes={num_classes}, in_channels={in_channels} and "
                f"the arguments {arguments_text(self.arguments)}: {one_line(error)}"
            ) from error
        if not isinstance(network, torch.nn.Module):
            raise UserError(
                f"network {self.name} returned a value of type {type(network).__name__}; a torch.nn.Module is needed"
            )
        for name, parameter in network.named_parameters():
            if isinstance(parameter, UninitializedParameter):
                raise UserError(
                    f"network {self.name}: the size of parameter {name} is left to the first batch; "
                    "a size from the start is needed"
                )
        return network


def _public_functions(module: ModuleType) -> list[str]:
    """Names of the functions and classes that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and callable(value) and not name.startswith("_")
    ]
