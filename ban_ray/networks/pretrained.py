"""Networks that start from given weights: the file, what fits, and a head that is made anew."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.networks.architecture import Architecture
from ban_ray.networks.head import head_names
from ban_ray.networks.inspection import read_module

MAX_NAMED = 3
"""Tensors of each kind that a message names; the others are counted."""

_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of what `torch.save` and `pickle` write."""


@dataclass(frozen=True)
class _Signature:
    """What a network needs of weights: shapes by name, whether they are of real numbers, and the names of its head."""

    shapes: Mapping[str, tuple[int, ...]]
    real: Mapping[str, bool]
    head: frozenset[str]
    num_classes: int


def weights_of(data: bytes, whose: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file; a pickle is never loaded.

    Raises:
        UserError: it is a pickle or no whole safetensors file, or holds numbers that are not finite.
    """
    try:
        tensors = dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        if data.startswith(_PICKLES):
            raise UserError(
                f"{whose} is a pickle, which can run code when it is loaded, and is never read; convert it first by "
                "`safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors')`"
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{whose} is no whole safetensors file: {reason}") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.float().isfinite().all()):
            raise UserError(f"{whose} holds numbers that are not finite, in {name[:100]}")
    return tensors


def to_file(tensors: Mapping[str, Tensor]) -> bytes:
    """A safetensors file of a state dict."""
    # Tensors of a state dict may share memory, which the format does not.
    return bytes(save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}))


def digest_of(data: bytes) -> str:
    """The SHA-256 by which weights are known."""
    return hashlib.sha256(data).hexdigest()


def new_tensors(
    architecture: Architecture, num_classes: int, in_channels: int, weights: Mapping[str, Tensor], whose: str
) -> tuple[str, ...]:
    """Names of the head's tensors that weights do not decide, for a network that they fit; nothing is allocated.

    Raises:
        UserError: the network cannot be built, or the weights do not fit it.
    """
    signature = read_module(architecture, num_classes, in_channels, lambda module: _signature(module, num_classes))
    return tuple(_undecided(signature, weights, whose, architecture.name))


def start_from(network: nn.Module, num_classes: int, weights: Mapping[str, Tensor], whose: str, name: str) -> None:
    """Give a network the weights that it starts from; a head for another number of classes stays as it was made.

    Args:
        whose: the weights, for the message.
        name: of the network.

    Raises:
        UserError: a tensor is missing, unknown, or of another shape.
    """
    undecided = set(_undecided(_signature(network, num_classes), weights, whose, name))
    with torch.no_grad():
        own = network.state_dict(keep_vars=True)
        for tensor_name in own.keys() - undecided:
            own[tensor_name].copy_(weights[tensor_name])


def _signature(network: nn.Module, num_classes: int) -> _Signature:
    state = network.state_dict()
    return _Signature(
        {name: tuple(tensor.shape) for name, tensor in state.items()},
        {name: tensor.is_floating_point() for name, tensor in state.items()},
        head_names(network, num_classes),
        num_classes,
    )


def _undecided(needed: _Signature, weights: Mapping[str, Tensor], whose: str, name: str) -> list[str]:
    """The tensors of the head that weights lack or have for another number of classes.

    Raises:
        UserError: something else does not fit.
    """
    given = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    undecided = [key for key, shape in needed.shapes.items() if _is_of_other_classes(key, shape, given, needed)]
    fixed = [key for key in needed.shapes if key not in undecided]
    problems = {
        "it lacks": [key for key in fixed if key not in given],
        "it holds what the network has not:": [key for key in given if key not in needed.shapes],
        "of another shape": [
            f"{key[:100]}, {given[key]} there and {needed.shapes[key]} here"
            for key in fixed
            if key in given and given[key] != needed.shapes[key]
        ],
        "of another kind of numbers": [
            key for key in fixed if key in given and weights[key].is_floating_point() != needed.real[key]
        ],
    }
    if not (found := [f"{what} {_listed(names)}" for what, names in problems.items() if names]):
        return undecided
    head = f", whose {_listed(sorted(needed.head))} may be for another number of classes" if needed.head else ""
    raise UserError(f"{whose} does not fit {name}{head}: {'; '.join(found)}")


def _is_of_other_classes(
    name: str, shape: tuple[int, ...], given: Mapping[str, tuple[int, ...]], needed: _Signature
) -> bool:
    if needed.head and name not in needed.head:
        return False
    if name not in given:
        # What was trained without labels has no head.
        return name in needed.head
    other = given[name]
    return other != shape and shape[:1] == (needed.num_classes,) and len(other) > 0 and other[1:] == shape[1:]


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more
