"""Activation checkpointing that leaves batch norms' running statistics as one forward pass leaves them."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Recomputable(nn.Module):
    """A module that can recompute its activations in the backward pass instead of storing them.

    Attributes:
        recompute: whether it does.
    """

    recompute = False

    def run(self, branch: nn.Module, x: Tensor) -> Tensor:
        """``branch(x)`` with the same bits and gradients; if recomputed, only `x` is stored for the backward pass.

        The branch must not draw random numbers: the generators' states are not stored.
        """
        if not (self.recompute and torch.is_grad_enabled()):
            output: Tensor = branch(x)
        else:
            output = checkpoint(
                branch,
                x,
                use_reentrant=False,
                preserve_rng_state=False,
                context_fn=lambda: (nullcontext(), _preserved_statistics(branch)),
            )
        return output


@contextmanager
def _preserved_statistics(branch: nn.Module) -> Iterator[None]:
    """Inside, batch norms update copies of their buffers.

    They cannot be switched off: checkpointing requires that the second pass saves the same tensors as the first.
    """
    norms = [layer for layer in branch.modules() if isinstance(layer, nn.BatchNorm2d)]
    buffers = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers()]
    for norm, name, buffer in buffers:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in buffers:
            setattr(norm, name, buffer)
