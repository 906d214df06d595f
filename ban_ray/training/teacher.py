"""The teacher of a generation: networks in eval mode, without gradients."""

import math
from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Teacher(nn.Module):
    """One or more networks whose probabilities are averaged.

    It stays in eval mode even if `train()` is called on it or on a module that contains it.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Inputs (b, c, h, w) to log-probabilities (b, C) in float32."""
        outputs = [F.log_softmax(network(x).float(), 1) for network in self.networks]
        if len(outputs) == 1:
            return outputs[0]
        return torch.logsumexp(torch.stack(outputs), 0) - math.log(len(outputs))
