"""The reading of a user's file of weights, which runs no code of the file."""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from ban_ray.errors import UserError

_WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Names under which training scripts save a state dict beside other things."""

# Torch's reader follows the opcodes of a file, and fails in as many ways at those that make no sense.
_UNREADABLE = (
    OSError,
    EOFError,
    SafetensorError,
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a state dict saved by torch.

    Raises:
        UserError: it is neither, or holds other things than dense tensors of real numbers and plain values.
    """
    try:
        if _is_safetensors(path):
            return dict(load_safetensors(path.read_bytes()))
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise UserError(
            f"{path} cannot be read as weights: {reason}; a safetensors file, or torch.save of a state dict is needed"
        ) from error
    for name in _WRAPPERS:
        if isinstance(contents, Mapping) and isinstance(contents.get(name), Mapping):
            contents = contents[name]
            break
    if not isinstance(contents, Mapping) or not all(isinstance(value, Tensor) for value in contents.values()):
        raise UserError(f"{path} holds no state dict, that is tensors by name")
    tensors = {str(name): value for name, value in contents.items()}
    for name, value in tensors.items():
        if value.layout != torch.strided or value.is_quantized or value.is_meta or value.is_complex():
            raise UserError(
                f"{path} holds {_kind(value)} tensor for {name[:100]}; dense tensors of real numbers are needed"
            )
    # Training on several devices wraps the network in a module of its own.
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


def _kind(value: Tensor) -> str:
    if value.is_meta:
        return "an empty (meta)"
    return "a sparse" if value.layout != torch.strided else "a quantised" if value.is_quantized else "a complex"


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size
