"""Optimisers of `torch.optim` under one form, and the choice of a recipe's."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ban_ray.errors import UserError
from ban_ray.specs import Recipe
from ban_ray.specs.optimisers import OPTIMISERS
from ban_ray.training.optimizer import SGD, Group, Optimiser, clear_gradients, is_dense, split_into_groups

_CLASSES = {
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "radam": "RAdam",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "muon": "Muon",
}
_FUSED = ("adam", "adamw")
_NOT_CAPTURABLE = ("adagrad", "muon")
"""Their steps make numbers on the CPU of the learning rate or of the number of steps."""


def make_optimiser(parameters: Iterable[Tensor], recipe: Recipe, head: Iterable[Tensor] = ()) -> Optimiser:
    """A recipe's optimiser of the parameters that require gradients.

    Args:
        head: those of them that learn at the recipe's own rate where the others have a part of it.

    Raises:
        UserError: this version of torch does not have it, or it cannot take a parameter.
    """
    make = SGD if recipe.optimiser == "sgd" else TorchOptimiser
    return make(parameters, recipe, head)


class TorchOptimiser:
    """One of `torch.optim`'s classes, or Muon and AdamW side by side."""

    def __init__(self, parameters: Iterable[Tensor], recipe: Recipe, head: Iterable[Tensor] = ()) -> None:
        name, head = recipe.optimiser, list(head)
        in_head = {id(each) for each in head}
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.capturable = name not in _NOT_CAPTURABLE
        arguments = OPTIMISERS[name].model_validate(recipe.optimiser_arguments).model_dump()
        self._matrices: list[tuple[Tensor, Tensor]] = []
        self._optimisers: list[torch.optim.Optimizer] = []
        self._groups: list[list[Group]] = []
        others = self.parameters
        if name == "muon":
            betas = arguments.pop("betas")
            self._matrices = [(each, _as_matrix(each)) for each in self.parameters if each.dim() > 1]
            others = [each for each in self.parameters if each.dim() < 2]
            if self._matrices:
                matrices = [matrix for _, matrix in self._matrices]
                self._add(name, matrices, recipe, arguments, [m for each, m in self._matrices if id(each) in in_head])
            name, arguments = "adamw", {"betas": betas}
        if others:
            self._add(name, others, recipe, arguments, head)

    def _add(
        self, name: str, parameters: list[Tensor], recipe: Recipe, arguments: dict[str, Any], head: Iterable[Tensor]
    ) -> None:
        optimiser = getattr(torch.optim, _CLASSES[name], None)
        if optimiser is None:
            raise UserError(f"optimiser {name} needs a newer torch than {torch.__version__}, which does not have it")
        self._groups.append(split_into_groups(parameters, recipe, head))
        groups = [
            {"params": [parameters[number] for number in group.numbers], "weight_decay": group.weight_decay}
            for group in self._groups[-1]
        ]
        if name not in _NOT_CAPTURABLE:
            arguments = {**arguments, "capturable": parameters[0].is_cuda}
        if name in _FUSED:
            # None lets torch choose, which on a CPU updates one parameter after the other.
            arguments = {**arguments, "fused": True if is_dense(parameters) else None}
        self._optimisers.append(optimiser(groups, lr=recipe.learning_rate, **arguments))

    def zero_grad(self) -> None:
        clear_gradients(self.parameters)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Update each parameter that has a gradient; a learning rate that is a tensor is a scalar on their device."""
        for parameter, matrix in self._matrices:
            gradient = parameter.grad
            matrix.grad = None if gradient is None else _as_rows(gradient, _is_channels_last(parameter))
        for optimiser, groups in zip(self._optimisers, self._groups, strict=True):
            for settings, group in zip(optimiser.param_groups, groups, strict=True):
                settings["lr"] = group.rate(learning_rate)
            optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """``optimisers``: for each of torch's the ``state`` of its ``state_dict``, by positions of parameters."""
        return {"optimisers": [optimiser.state_dict()["state"] for optimiser in self._optimisers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what `state_dict` returned, to the parameters' device."""
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            # Arguments are the recipe's; torch keeps tensors that are on the device already.
            optimiser.load_state_dict({**optimiser.state_dict(), "state": deepcopy(saved)})


def _is_channels_last(parameter: Tensor) -> bool:
    return parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)


def _as_rows(tensor: Tensor, channels_last: bool) -> Tensor:
    """(n, ...) to (n, m), with the channels innermost on request; the memory itself where it is in that order."""
    return (tensor.permute(0, 2, 3, 1) if channels_last else tensor).flatten(1)


def _as_matrix(parameter: Tensor) -> Tensor:
    """A parameter as a matrix with a row for each output, which shares its memory.

    Raises:
        UserError: the parameter is a view whose rows are not contiguous.
    """
    matrix = _as_rows(parameter.detach(), _is_channels_last(parameter))
    if matrix.untyped_storage().data_ptr() != parameter.untyped_storage().data_ptr():
        shape = tuple(parameter.shape)
        raise UserError(f"optimiser muon cannot take a parameter of shape {shape} that is a view with gaps in memory")
    return nn.Parameter(matrix)
