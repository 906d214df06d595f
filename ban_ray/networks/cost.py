"""Multiply-accumulates of a forward pass, counted by hooks on a module on the meta device."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.inspection import read_module
from ban_ray.networks.modules.recurrent import TiedOutput
from ban_ray.networks.registry import parse


def multiply_accumulates(
    name: str,
    num_classes: int,
    in_channels: int,
    sample_shape: Sequence[int],
    arguments: Mapping[str, object] | None = None,
) -> int:
    """Multiply-accumulates of one forward pass of one image or one token.

    The calls of convolution, linear and recurrent layers are counted, without biases. Products of two activations, as
    in attention, and weights that are used without calling such a layer are not.

    Args:
        sample_shape: (height, width, channels) of an image, () of a token.

    Raises:
        UserError: no such network, or it does not take such samples to logits (1, num_classes).
    """
    architecture = parse(name, arguments)
    noun, failure = "token", "cannot predict tokens"
    if sample_shape:
        noun, failure = "image", f"cannot classify images of {in_channels} x {sample_shape[0]} x {sample_shape[1]}"

    def count(module: nn.Module) -> int:
        image, token = (1, in_channels, *sample_shape[:2]), torch.zeros(1, 1, dtype=torch.int64)
        total, logits = _forward(module, torch.zeros(image) if sample_shape else token)
        made = f"a tensor of {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        if not isinstance(logits, Tensor) or logits.shape != (1, num_classes):
            raise UserError(
                f"network {architecture.name} {failure}: it makes {made} from one {noun}, where logits of "
                f"{(1, num_classes)} are needed"
            )
        return total

    return read_module(architecture, num_classes, in_channels, count, failure)


def _forward(module: nn.Module, samples: Tensor) -> tuple[int, object]:
    """The multiply-accumulates of one pass in evaluation mode, and what it returns."""
    total = 0

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Any) -> None:
        nonlocal total
        total += _count_layer(layer, inputs[0] if inputs else named["input"], output)

    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd | nn.RNNBase | TiedOutput):
            layer.register_forward_hook(add, with_kwargs=True)
    with torch.no_grad():
        output = module.eval()(samples)
    return total, output


def _count_layer(layer: nn.Module, layer_input: Tensor, output: Any) -> int:
    """Multiply-accumulates of one call of a layer: each element meets the weights of one filter."""
    if isinstance(layer, nn.RNNBase):
        # Each step of each sequence meets every matrix, the biases aside.
        steps = layer_input.shape[:-1].numel()
        return steps * sum(weight.numel() for weight in layer.parameters() if weight.ndim == 2)
    if isinstance(layer, TiedOutput):
        return int(output.numel()) * layer_input.shape[-1]
    if isinstance(layer, nn.Linear):
        return int(output.numel()) * layer.in_features
    assert isinstance(layer, nn.modules.conv._ConvNd)
    # A transposed convolution spreads each element of its input; any other gathers each one of its output.
    elements = layer_input if layer.transposed else output
    return int(elements.numel()) * layer.weight[0].numel()
