"""Stochastic gradient descent with momentum, the papers' optimiser, and what every optimiser can do."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from ban_ray.specs import Recipe


class Optimiser(Protocol):
    """Updates parameters by their gradients, at a learning rate that each step is given.

    Attributes:
        parameters: those that are trained.
        capturable: whether a step on a GPU can be captured as a CUDA graph. Its learning rate is then a scalar tensor
            on that GPU, else a number.
    """

    parameters: list[Tensor]
    capturable: bool

    def zero_grad(self) -> None: ...
    def step(self, learning_rate: float | Tensor) -> None:
        """Update each parameter that has a gradient; nothing waits for the device."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers that `load_state_dict` takes, and copies."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def clear_gradients(parameters: Iterable[Tensor]) -> None:
    for parameter in parameters:
        parameter.grad = None


def is_dense(parameters: Iterable[Tensor]) -> bool:
    """Whether fused kernels can take the parameters: they read memory in order, and so no strides of views."""
    return all(parameter.stride() == torch.empty_like(parameter).stride() for parameter in parameters)


class Group(NamedTuple):
    """Parameters that are updated alike.

    Attributes:
        numbers: their positions.
        rate_factor: by which the learning rate of a step is multiplied.
    """

    numbers: list[int]
    weight_decay: float
    rate_factor: float

    def rate(self, learning_rate: float | Tensor) -> float | Tensor:
        """The group's learning rate where a step's is given."""
        return learning_rate if self.rate_factor == 1 else learning_rate * self.rate_factor


def split_into_groups(parameters: Sequence[Tensor], recipe: Recipe, head: Iterable[Tensor] = ()) -> list[Group]:
    """The groups of a recipe: one, or more if only matrices decay or the body learns at another rate than the head."""
    head_ids = {id(parameter) for parameter in head}
    groups: dict[tuple[bool, float], list[int]] = {}
    for number, parameter in enumerate(parameters):
        decays = recipe.decay == "all" or parameter.dim() > 1
        factor = 1.0 if id(parameter) in head_ids else float(recipe.body_learning_rate)
        groups.setdefault((decays, factor), []).append(number)
    # Checkpoints number parameters by groups: those that decay come first.
    ordered = sorted(groups.items(), key=lambda group: not group[0][0])
    return [
        Group(numbers, float(recipe.weight_decay) if decays else 0.0, factor) for (decays, factor), numbers in ordered
    ]


class SGD:
    """The update of `torch.optim.SGD`, with Nesterov momentum if there is momentum, by torch's functional form.

    Torch's class imports its compiler, which takes 3 s in every worker process; the functional form does not.
    """

    capturable = True

    def __init__(self, parameters: Iterable[Tensor], recipe: Recipe, head: Iterable[Tensor] = ()) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._groups = split_into_groups(self.parameters, recipe, head)
        self._momentum = float(recipe.momentum)
        self._nesterov = self._momentum > 0 and bool(recipe.optimiser_arguments.get("nesterov", True))
        # Users' networks may have parameters that are views.
        self._fused = is_dense(self.parameters)
        self._velocities = [torch.zeros_like(parameter) if self._momentum else None for parameter in self.parameters]

    def zero_grad(self) -> None:
        clear_gradients(self.parameters)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Update each parameter that has a gradient; a learning rate that is a tensor is a scalar on their device."""
        for group in self._groups:
            updated = [
                (parameter, parameter.grad, self._velocities[number])
                for number in group.numbers
                if (parameter := self.parameters[number]).grad is not None
            ]
            sgd(
                [parameter for parameter, _, _ in updated],
                [gradient for _, gradient, _ in updated],
                [velocity for _, _, velocity in updated],
                fused=self._fused,
                weight_decay=group.weight_decay,
                momentum=self._momentum,
                lr=group.rate(learning_rate),
                dampening=0.0,
                nesterov=self._nesterov,
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
