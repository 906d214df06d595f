"""What a network costs, read off its module on the meta device, where nothing is allocated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.building import build_architecture
from ban_ray.networks.families.external import ExternalNetwork, one_line
from ban_ray.networks.modules.recurrent import TiedOutput
from ban_ray.networks.registry import Architecture, parse

T = TypeVar("T")


def multiply_accumulates(
    name: str,
    num_classes: int,
    in_channels: int,
    size: int | tuple[int, int],
    arguments: Mapping[str, object] | None = None,
) -> int:
    """Multiply-accumulates of one forward pass of one image: (in_channels, size, size), or (in_channels, *size).

    Counted are the calls of convolution and linear layers, without biases. Not counted are products of two
    activations, as in attention, and weights that are used without calling such a layer.

    Raises:
        UserError: no such network, or it does not take such images to logits (b, num_classes).
    """
    architecture = parse(name, arguments)
    height, width = (size, size) if isinstance(size, int) else size
    refused = f"network {architecture.name} cannot classify images of {in_channels} x {height} x {width}"

    def count(module: nn.Module) -> int:
        total, logits = _forward(module, torch.zeros(1, in_channels, height, width))
        if not isinstance(logits, Tensor):
            raise UserError(f"{refused}: it returns a {type(logits).__name__}, where a tensor of logits is needed")
        if logits.shape != (1, num_classes):
            raise UserError(
                f"{refused}: it makes a tensor of {tuple(logits.shape)} from one image, "
                f"where {(1, num_classes)} is needed"
            )
        return total

    try:
        return _read(architecture, num_classes, in_channels, count)
    except UserError:
        raise
    except _failures(architecture) as error:
        raise UserError(f"{refused}: {one_line(error)}") from error


def of_token(name: str, num_classes: int, in_channels: int, arguments: Mapping[str, object] | None = None) -> int:
    """Multiply-accumulates of one forward pass of one token, as `multiply_accumulates` counts them.

    Raises:
        UserError: no such network, or it does not take tokens (1, 1) to logits (1, num_classes).
    """
    architecture = parse(name, arguments)

    def count(module: nn.Module) -> int:
        total, logits = _forward(module, torch.zeros(1, 1, dtype=torch.int64))
        if not isinstance(logits, Tensor) or logits.shape != (1, num_classes):
            made = f"a tensor of {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise UserError(
                f"network {architecture.name} cannot predict tokens: it makes {made} from one token, "
                f"where {(1, num_classes)} is needed"
            )
        return total

    try:
        return _read(architecture, num_classes, in_channels, count)
    except UserError:
        raise
    except _failures(architecture) as error:
        raise UserError(f"network {architecture.name} cannot predict tokens: {one_line(error)}") from error


def of_sample(
    name: str,
    num_classes: int,
    in_channels: int,
    sample_shape: Sequence[int],
    arguments: Mapping[str, object] | None = None,
) -> int:
    """Multiply-accumulates of one forward pass of one image (height, width, channels), or of one token ().

    Raises:
        UserError: as for either of them.
    """
    if not sample_shape:
        return of_token(name, num_classes, in_channels, arguments)
    height, width, _ = sample_shape
    return multiply_accumulates(name, num_classes, in_channels, (height, width), arguments)


def built_parameters(architecture: Architecture, num_classes: int, in_channels: int) -> int:
    """Parameters of the built module, every one counted once.

    Raises:
        UserError: the network cannot be built.
    """
    return _built(architecture, num_classes, in_channels, lambda module: sum(p.numel() for p in module.parameters()))


def built_shapes(architecture: Architecture, num_classes: int, in_channels: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the built module's parameters and buffers, by the names that its weights are stored under.

    Raises:
        UserError: the network cannot be built.
    """
    return _built(
        architecture,
        num_classes,
        in_channels,
        lambda module: {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()},
    )


def _built(architecture: Architecture, num_classes: int, in_channels: int, reader: Callable[[nn.Module], T]) -> T:
    try:
        return _read(architecture, num_classes, in_channels, reader)
    except UserError:
        raise
    except _failures(architecture) as error:
        raise UserError(f"network {architecture.name} cannot be built: {one_line(error)}") from error


def _failures(architecture: Architecture) -> tuple[type[Exception], ...]:
    """What a network may raise that does not suit its task; code that is not ours may raise anything."""
    return (Exception,) if isinstance(architecture, ExternalNetwork) else (RuntimeError, ValueError, AssertionError)


def _read(architecture: Architecture, num_classes: int, in_channels: int, reader: Callable[[nn.Module], T]) -> T:
    """Build on the meta device and read; what asks for tensors' values there, is built on the CPU instead."""
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return reader(build_architecture(architecture, num_classes, in_channels))
        except RuntimeError:
            if not isinstance(architecture, ExternalNetwork):
                raise
            with torch.device("cpu"):
                return reader(build_architecture(architecture, num_classes, in_channels))


def _forward(module: nn.Module, images: Tensor) -> tuple[int, object]:
    """The multiply-accumulates of one pass in evaluation mode, and what it returns."""
    total = 0

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Any) -> None:
        nonlocal total
        total += _of_layer(layer, inputs[0] if inputs else named["input"], output)

    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd | nn.RNNBase | TiedOutput):
            layer.register_forward_hook(add, with_kwargs=True)
    with torch.no_grad():
        output = module.eval()(images)
    return total, output


def _of_layer(layer: nn.Module, given: Tensor, output: Any) -> int:
    """Multiply-accumulates of one call: each element meets the weights of one filter."""
    if isinstance(layer, nn.RNNBase):
        # Each step of each sequence meets every matrix, the biases aside.
        sequences = given.shape[:-1].numel()
        return sequences * sum(weight.numel() for weight in layer.parameters() if weight.ndim == 2)
    if isinstance(layer, TiedOutput):
        return int(output.numel()) * given.shape[-1]
    if isinstance(layer, nn.Linear):
        return int(output.numel()) * layer.in_features
    assert isinstance(layer, nn.modules.conv._ConvNd)
    # A transposed convolution spreads each element of its input; any other gathers each one of its output.
    elements = given if layer.transposed else output
    return int(elements.numel()) * layer.weight[0].numel()
