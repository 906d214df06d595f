"""The teacher of a generation: networks in eval mode, without gradients."""

import math
from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ban_ray.errors import UserError

SHARED_LAYERS = ("stem", "classifier")
"""The first convolution and the last linear layer, which students may share (ICML 2018, BAN-ResNets)."""


class Teacher(nn.Module):
    """One or more networks whose probabilities are averaged; one that is given twice has twice the weight.

    It stays in eval mode even if `train()` is called on it or on a module that contains it.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        # A network that is there twice is computed once; a recurrent one would else advance twice.
        different = list(dict.fromkeys(networks))
        self.networks = nn.ModuleList(different)
        self._averaged = [different.index(network) for network in networks]
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
        averaged = [outputs[position] for position in self._averaged]
        return torch.logsumexp(torch.stack(averaged), 0) - math.log(len(averaged))


def share_layers(student: nn.Module, teacher: Teacher | None, *, frozen: bool) -> None:
    """Copy both `SHARED_LAYERS` from the first teacher; they are not trained if `frozen`.

    Raises:
        UserError: there is no teacher, a network has no such layers, or their shapes differ.
    """
    if teacher is None:
        raise UserError("shared layers need a teacher, and none was given")
    for name in SHARED_LAYERS:
        layer, source = getattr(student, name, None), getattr(teacher.networks[0], name, None)
        if not isinstance(layer, nn.Module) or not isinstance(source, nn.Module):
            raise UserError(f"a network without a layer {name!r} cannot share it; the networks of this project can")
        own, given = layer.state_dict(), source.state_dict()
        shapes = {key: (tuple(tensor.shape), tuple(given[key].shape)) for key, tensor in own.items() if key in given}
        if own.keys() != given.keys() or any(a != b for a, b in shapes.values()):
            raise UserError(f"layer {name!r} cannot be shared: the student's and the teacher's shapes are {shapes}")
        with torch.no_grad():
            layer.load_state_dict(given)
        layer.requires_grad_(not frozen)
