"""Reads modules that are built on the meta device, where nothing is allocated."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.names import one_line

T = TypeVar("T")


def count_parameters(architecture: Architecture, num_classes: int, in_channels: int) -> int:
    """The number of parameters of the built module, each counted once; raises what `read_module` does."""

    def read(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    return read_module(architecture, num_classes, in_channels, read)


def state_shapes(architecture: Architecture, num_classes: int, in_channels: int) -> dict[str, tuple[int, ...]]:
    """Shapes of parameters and buffers by the names that weights are stored under; raises what `read_module` does."""

    def read(module: nn.Module) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}

    return read_module(architecture, num_classes, in_channels, read)


def read_module(
    architecture: Architecture,
    num_classes: int,
    in_channels: int,
    read: Callable[[nn.Module], T],
    failure: str = "cannot be built",
) -> T:
    """What `read` returns for the network's module on the meta device; torch's random generator is left as it was.

    A network of other code that needs values of tensors is built and read on the CPU instead.

    Args:
        failure: what is said of the network where building or reading it fails.

    Raises:
        UserError: it fails.
    """
    # Code from outside may raise anything.
    expected = (Exception,) if architecture.external else (RuntimeError, ValueError, AssertionError)
    try:
        with torch.random.fork_rng(devices=[]):
            try:
                with torch.device("meta"):
                    return read(architecture.build(num_classes, in_channels))
            except RuntimeError:
                if not architecture.external:
                    raise
                with torch.device("cpu"):
                    return read(architecture.build(num_classes, in_channels))
    except UserError:
        raise
    except expected as error:
        raise UserError(f"network {architecture.name} {failure}: {one_line(error)}") from error
