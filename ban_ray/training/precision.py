"""Numerical precision, choice of algorithms, memory order and memory of a training on a device."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import nn

from ban_ray.errors import UserError
from ban_ray.specs import Recipe

M = TypeVar("M", bound=nn.Module)


def set_precision(recipe: Recipe, device: torch.device) -> None:
    """Make fp32 mean fp32: TF32 is on for ``tf32`` alone.

    Raises:
        UserError: ``tf32`` without a GPU.
    """
    tf32 = recipe.precision == "tf32"
    if tf32 and device.type != "cuda":
        raise UserError(f"precision tf32 needs a GPU; on {device} fp32 and bf16 are allowed")
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def set_determinism(deterministic: bool, device: torch.device) -> None:
    """On a GPU, allow only algorithms that always give the same bits, or let cuDNN time its algorithms and choose."""
    if device.type != "cuda":
        return
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        # Read when cuBLAS is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    # Otherwise all new memory would be filled in every step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


CONTEXT_BYTES = 600 * 2**20
"""Allowance for what each process takes of a GPU's memory besides its tensors."""


def limit_memory(gpus: float, device: torch.device) -> None:
    """Let a process that shares a GPU allocate no more than its part, so that its neighbours keep theirs."""
    if gpus < 1:
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(max(0.01, gpus - CONTEXT_BYTES / total), device)


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager[object]:
    """The context of every forward pass; parameters and statistics of batch norm stay in fp32."""
    if recipe.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def to_device(module: M, device: torch.device) -> M:
    """Move a module, its 4-d parameters in channels-last order, which convolutions are fastest in; returns it."""
    module.to(device).to(memory_format=torch.channels_last)
    return module
