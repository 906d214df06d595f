"""The moving average of a network's own weights as its teacher."""

import copy
from typing import Any

import torch
from torch import nn

from ban_ray.training import distributed
from ban_ray.training.averaging import ExponentialMovingAverage
from ban_ray.training.teacher import Teacher


class OwnAverage(ExponentialMovingAverage):
    """A copy of the network that follows it, for an objective with `needs_own_average`.

    Every worker has the same one: its batch-norm statistics are averages of rank 0's, as those that are published.

    Attributes:
        teacher: the copy, in eval mode and without gradients.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Args:
        network: on its device, with its first weights.
        decay: see `ban_ray.training.averaging.ExponentialMovingAverage`.
        """
        average = copy.deepcopy(network)
        super().__init__(network, decay, average)
        self.teacher = Teacher([average])
        parameters = {name for name, _ in network.named_parameters()}
        names = [name for name in self._own if name not in parameters] if distributed.world_size() > 1 else []
        self._local_statistics = [self._own[name] for name in names]
        self._statistics = [tensor.clone() for tensor in self._local_statistics]
        self._own |= dict(zip(names, self._statistics, strict=True))
        self._tensors = list(self._average.values()), list(self._own.values())

    def after_step(self) -> None:
        if self._statistics:
            flat = torch.cat([tensor.flatten() for tensor in self._local_statistics])
            flat = distributed.all_reduce_sum(flat if distributed.rank() == 0 else torch.zeros_like(flat))
            parts = torch.split(flat, [tensor.numel() for tensor in self._statistics])
            for tensor, part in zip(self._statistics, parts, strict=True):
                tensor.copy_(part.view_as(tensor))
        super().after_step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has beside the rest: ``own_average``."""
        return {"own_average": super().state_dict()["average"]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict({"average": state["own_average"]})
