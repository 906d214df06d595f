"""A network of the user's own: any importable function that returns a module."""

import importlib
from types import ModuleType

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from ban_ray.errors import UserError
from ban_ray.networks.families.external import CustomNetwork, one_line


def build(architecture: CustomNetwork, num_classes: int, in_channels: int) -> nn.Module:
    """What the user's function returns for (num_classes=, in_channels=, **arguments), as it is.

    It should take (b, in_channels, h, w) to logits (b, num_classes). Its initialisation is its own. Files that it reads
    belong to its version where its module declares them, as `ban_ray.networks.source_version` says.

    Raises:
        RuntimeError, MemoryError: from the function, as it is.
        UserError: the module cannot be imported, has no such function, the function fails, or what it returns is no
            `nn.Module` or has parameters without a size.
    """
    name = architecture.name
    try:
        # A count may ask for the meta device, where tensors of the imported module would stay without values.
        with torch.device("cpu"):
            place = importlib.import_module(architecture.module)
    except Exception as error:
        # Code that is not ours may raise anything.
        raise UserError(
            f"network {name}: module {architecture.module} cannot be imported ({one_line(error)}); "
            "it must be on Python's path here and on every worker"
        ) from error
    function = getattr(place, architecture.function, None)
    if not callable(function):
        raise UserError(
            f"network {name}: module {architecture.module} has no function {architecture.function}; "
            f"defined there are {', '.join(_defined_in(place)) or 'none'}"
        )
    try:
        module = function(num_classes=num_classes, in_channels=in_channels, **architecture.arguments)
    except (RuntimeError, MemoryError):
        # Of torch: what reads values on the meta device is built anew, and memory may run out.
        raise
    except Exception as error:
        raise UserError(
            f"network {name} cannot be called with num_classes={num_classes}, in_channels={in_channels} and "
            f"the arguments {architecture.arguments_text}: {one_line(error)}"
        ) from error
    if not isinstance(module, nn.Module):
        raise UserError(f"network {name} returned a value of type {type(module).__name__}; a torch.nn.Module is needed")
    for parameter, value in module.named_parameters():
        if isinstance(value, UninitializedParameter):
            raise UserError(
                f"network {name}: the size of parameter {parameter} is left to the first batch; "
                "a size from the start is needed"
            )
    return module


def _defined_in(place: ModuleType) -> list[str]:
    own = [name for name, value in vars(place).items() if getattr(value, "__module__", None) == place.__name__]
    return [name for name in own if callable(getattr(place, name)) and not name.startswith("_")]
