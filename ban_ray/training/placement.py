"""Modules on their device, in the memory order that convolutions like."""

from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def to_device(module: M, device: torch.device) -> M:
    """Move a module, its 4-d parameters in channels-last order; returns it."""
    module.to(device).to(memory_format=torch.channels_last)
    return module
