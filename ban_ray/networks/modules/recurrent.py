"""Recurrent layers that carry their hidden states from one batch of a text to the next, and the LSTM language model."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Stateful(Protocol):
    """A module with a state between calls; a network of the user's own may have such modules too."""

    def reset_state(self) -> None:
        """Begin the next call without a state."""
        ...


def reset_state(network: nn.Module | None) -> None:
    """Reset the state of every stateful module, before the first batch of a text."""
    for module in network.modules() if network is not None else ():
        if isinstance(module, Stateful):
            module.reset_state()


class LSTMStack(nn.Module):
    """LSTM layers, with dropout on the inputs of some: (t, b, inputs) to (t, b, units).

    The next call starts from the last hidden state; no gradient flows back into it, so that backpropagation through
    time ends at the batch's first step. It is neither a parameter nor a buffer: no file and no other process holds it.
    """

    def __init__(self, inputs: int, units: int, dropouts: list[float]) -> None:
        super().__init__()
        # Layer by layer: cuDNN draws the dropout between its own layers from a generator with a history.
        widths = [inputs, *[units] * (len(dropouts) - 1)]
        self.layers = nn.ModuleList(nn.LSTM(width, units) for width in widths)
        self.dropouts = nn.ModuleList(nn.Dropout(dropout) for dropout in dropouts)
        self._state: list[tuple[Tensor, Tensor] | None] = [None] * len(dropouts)

    def reset_state(self) -> None:
        self._state = [None] * len(self._state)

    def forward(self, x: Tensor) -> Tensor:
        for number, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            x = dropout(x)
            if x.device.type == "cpu":
                # Processors' LSTM kernels have no half precision in training.
                with torch.autocast("cpu", enabled=False):
                    x, (hidden, cell) = layer(x.float(), self._state[number])
            else:
                x, (hidden, cell) = layer(x, self._state[number])
            self._state[number] = hidden.detach(), cell.detach()
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


class LSTMLanguageModel(nn.Module):
    """Tokens (t, b) to logits (t * b, num_classes), step by step; see `LSTMStack` for the state between calls.

    Dropout is on each layer's input and before the output.
    """

    def __init__(self, num_classes: int, layers: int, units: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, units)
        self.stack = LSTMStack(units, units, [dropout] * layers)
        self.dropout = nn.Dropout(dropout)
        self.output = TiedOutput(num_classes)
        initialise_uniformly(self, 0.04)

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.dropout(self.stack(self.embedding(tokens)))
        logits: Tensor = self.output(features.flatten(0, 1), self.embedding.weight)
        return logits
