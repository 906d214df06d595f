"""Hidden states that a network carries from one batch of a text to the next."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Stateful(Protocol):
    """A module with a state between calls, which a network of the user's may be too."""

    def reset_state(self) -> None:
        """Start anew with the next call."""
        ...


def reset_state(network: nn.Module | None) -> None:
    """The next batch begins a text; nothing for a network that carries no state."""
    for module in network.modules() if network is not None else ():
        if isinstance(module, Stateful):
            module.reset_state()


class LSTMStack(nn.Module):
    """LSTM layers, with dropout on the inputs of some: (t, b, inputs) to (t, b, units).

    The last hidden state is where the next call starts; no gradient flows back into it, so that backpropagation through
    time ends at the batch's first step. It is neither a parameter nor a buffer: no file and no other process has it.
    """

    def __init__(self, inputs: int, units: int, dropouts: list[float]) -> None:
        super().__init__()
        # One by one: cuDNN draws the dropout between layers of its own from a generator with a history.
        widths = [inputs, *[units] * (len(dropouts) - 1)]
        self.layers = nn.ModuleList(nn.LSTM(width, units) for width in widths)
        self.dropouts = nn.ModuleList(nn.Dropout(dropout) for dropout in dropouts)
        self._carried: list[tuple[Tensor, Tensor] | None] = [None] * len(dropouts)

    def reset_state(self) -> None:
        self._carried = [None] * len(self._carried)

    def forward(self, x: Tensor) -> Tensor:
        for place, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            x = dropout(x)
            if x.device.type == "cpu":
                # Processors' LSTM kernels have no half precision in training.
                with torch.autocast("cpu", enabled=False):
                    x, (hidden, cell) = layer(x.float(), self._carried[place])
            else:
                x, (hidden, cell) = layer(x, self._carried[place])
            self._carried[place] = hidden.detach(), cell.detach()
        return x


class TiedOutput(nn.Module):
    """A linear layer whose matrix is the embeddings', held there alone: one matrix in memory and in files."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, x: Tensor, embeddings: Tensor) -> Tensor:
        """(n, units) and (num_classes, units) to logits (n, num_classes)."""
        return nn.functional.linear(x, embeddings, self.bias)


@torch.no_grad()
def initialise_uniformly(network: nn.Module, bound: float) -> None:
    """Every parameter uniform between -bound and bound."""
    for parameter in network.parameters():
        parameter.uniform_(-bound, bound)
