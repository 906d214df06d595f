"""Stochastic gradient descent with momentum, the papers' optimiser."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from ban_ray.specs import Recipe


class SGD:
    """The update of `torch.optim.SGD`, with Nesterov momentum if there is momentum, by torch's functional form.

    Torch's class imports its compiler, which takes 3 s in every worker process; the functional form does not.
    """

    def __init__(self, parameters: Iterable[Tensor], recipe: Recipe) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._weight_decay, self._momentum = float(recipe.weight_decay), float(recipe.momentum)
        # The fused kernel does not respect strides, which parameters of users' networks that are views may have.
        self._fused = all(parameter.stride() == torch.empty_like(parameter).stride() for parameter in self.parameters)
        self._velocities = [torch.zeros_like(parameter) if self._momentum else None for parameter in self.parameters]

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Update each parameter that has a gradient; a learning rate that is a tensor is a scalar on their device."""
        pairs = zip(self.parameters, self._velocities, strict=True)
        updated = [(parameter, parameter.grad, velocity) for parameter, velocity in pairs if parameter.grad is not None]
        sgd(
            [parameter for parameter, _, _ in updated],
            [gradient for _, gradient, _ in updated],
            [velocity for _, _, velocity in updated],
            fused=self._fused,
            weight_decay=self._weight_decay,
            momentum=self._momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=self._momentum > 0,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """``velocities``: a tensor for each trained parameter, None without momentum."""
        return {"velocities": self._velocities}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what `state_dict` returned, to the parameters' device and in their memory order."""
        for velocity, saved in zip(self._velocities, state["velocities"], strict=True):
            if velocity is not None:
                velocity.copy_(saved)
