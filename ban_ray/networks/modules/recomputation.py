"""Activation checkpointing that leaves batch norms' running statistics as one forward pass left them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def _statistics_kept(branch: nn.Module) -> Iterator[None]:
    """Inside, batch norms update copies of their buffers.

    They cannot be switched off: checkpointing wants the second pass to save the same tensors as the first.
    """
    norms = [layer for layer in branch.modules() if isinstance(layer, nn.BatchNorm2d)]
    kept = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers()]
    for norm, name, buffer in kept:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer)


def recomputed(branch: nn.Module, x: Tensor) -> Tensor:
    """``branch(x)`` with the same bits and gradients, keeping only `x` for the backward pass.

    The branch must not draw random numbers: the generators' states are not kept.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _statistics_kept(branch)

    output: Tensor = checkpoint(branch, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)
    return output
