"""The moving average of a network's own weights as its teacher."""

import copy
from typing import Any

from torch import nn

from ban_ray.training.averaging import ExponentialMovingAverage
from ban_ray.training.teacher import Teacher


class OwnAverage:
    """A copy of the network that follows it, for an objective with `needs_own_average`.

    Attributes:
        teacher: the copy, in eval mode and without gradients.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Args:
        network: on its device, with its first weights.
        decay: see `ban_ray.training.averaging.ExponentialMovingAverage`.
        """
        average = copy.deepcopy(network)
        self.teacher = Teacher([average])
        self._average = ExponentialMovingAverage(network, decay, average)

    def after_step(self) -> None:
        self._average.after_step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has beside the rest: ``own_average``."""
        return {"own_average": self._average.state_dict()["average"]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict({"average": state["own_average"]})
