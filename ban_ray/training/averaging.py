"""Averages of a network's weights over its training, which are evaluated and published in place of the last ones."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ban_ray.networks.modules.recurrent import reset_state
from ban_ray.specs import Generation, Recipe, derive_seed
from ban_ray.training.precision import autocast


def make_averaging(network: nn.Module, generation: Generation, device: torch.device) -> "Averaging":
    """The averaging of a generation's recipe, of a network on a device that has its first weights."""
    recipe = generation.recipe
    if recipe.averaging == "ema":
        return ExponentialMovingAverage(network, recipe.ema_decay)
    if recipe.averaging == "swa":
        return StochasticWeightAveraging(network, recipe, generation.seed, device)
    if recipe.averaging == "best":
        return BestEpoch(network)
    return Averaging()


class Averaging:
    """No average: the weights themselves. The base class of those that average."""

    def after_step(self) -> None:
        """Take the weights after a step into the average; nothing waits for the device."""

    def after_epoch(self, epoch: int, inputs: Iterable[Tensor] | None) -> None:
        """Take the weights after an epoch, counted from 0, into the average.

        Args:
            inputs: the epoch's training inputs, batch by batch, for batch-norm statistics; None on a worker whose
                statistics nobody reads.
        """

    def after_evaluation(self, error: float) -> None:
        """Take the held-out error of the weights after an epoch, in percent or as perplexity; on rank 0 alone."""

    def apply(self) -> None:
        """Overwrite the network's weights by the average."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A context in which the network has the averaged weights."""
        yield

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has beside the rest: nothing, or ``average`` with ``count`` and ``tensors``."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy the average from a checkpoint."""


class _Average(Averaging):
    """An average of the parameters and of some batch-norm statistics; the network's other buffers are its own."""

    def __init__(
        self, network: nn.Module, statistics: Callable[[Tensor], bool], average: nn.Module | None = None
    ) -> None:
        """Args:
        statistics: which buffers of batch norms have a value of their own beside averaged parameters.
        average: a copy of the network whose tensors are to be the average.
        """
        self._count = 0
        self._own = _tensors(network, statistics)
        if average is None:
            self._average = {name: tensor.clone() for name, tensor in self._own.items()}
        else:
            self._average = _tensors(average, statistics)

    def apply(self) -> None:
        if self._count:
            _copy(self._average, self._own)

    @contextmanager
    def applied(self) -> Iterator[None]:
        own = {name: tensor.clone() for name, tensor in self._own.items()}
        self.apply()
        try:
            yield
        finally:
            _copy(own, self._own)

    def state_dict(self) -> dict[str, Any]:
        return {"average": {"count": self._count, "tensors": self._average}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._count = state["average"]["count"]
        _copy(state["average"]["tensors"], self._average)


class ExponentialMovingAverage(_Average):
    """``a <- d a + (1 - d) w`` after step t, with ``d = min(decay, t / (9 + t))`` and at first the initial weights.

    Means and variances of batch norms are averaged as the weights are (as timm's ``ModelEma`` does).
    """

    def __init__(self, network: nn.Module, decay: float, average: nn.Module | None = None) -> None:
        super().__init__(network, Tensor.is_floating_point, average)
        self._decay = decay
        self._tensors = list(self._average.values()), list(self._own.values())

    def after_step(self) -> None:
        self._count += 1
        decay = min(self._decay, self._count / (9 + self._count))
        torch._foreach_lerp_(*self._tensors, weight=1 - decay)


class StochasticWeightAveraging(_Average):
    """The mean of the weights after each epoch from a part of the epochs on (Izmailov et al. 2018).

    The statistics of batch norms are those of one pass over the epoch's training batches with the averaged weights.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, seed: int, device: torch.device) -> None:
        super().__init__(network, lambda buffer: True)
        self._network, self._recipe, self._seed, self._device = network, recipe, seed, device
        self._first = round(recipe.swa_start * recipe.epochs, 9)
        self._parameters = [name for name, _ in network.named_parameters()]

    def after_epoch(self, epoch: int, inputs: Iterable[Tensor] | None) -> None:
        if epoch + 1 <= self._first:
            return
        self._count += 1
        for name in self._parameters:
            self._average[name].lerp_(self._own[name], 1 / self._count)
        if inputs is not None:
            self._renew_statistics(epoch, inputs)

    def _renew_statistics(self, epoch: int, inputs: Iterable[Tensor]) -> None:
        # Imports torch's compiler, as its optimisers do.
        from torch.optim.swa_utils import update_bn

        # Dropout draws in this pass too.
        torch.manual_seed(derive_seed(self._seed, "batch-norm", epoch))
        reset_state(self._network)
        with self.applied(), autocast(self._recipe, self._device):
            update_bn(inputs, self._network)
            for name in self._average.keys() - set(self._parameters):
                self._average[name].copy_(self._own[name])


class BestEpoch(Averaging):
    """The weights after the epoch of the lowest held-out error, the first of equals: early stopping.

    The training goes on to its end, so that one run has both curves and costs what the others cost.
    """

    def __init__(self, network: nn.Module) -> None:
        self._own = network.state_dict()
        self._error = math.inf
        self._best: dict[str, Tensor] = {}

    def after_evaluation(self, error: float) -> None:
        if error < self._error or not self._best:
            self._error = error
            self._best = {name: tensor.clone() for name, tensor in self._own.items()}

    def apply(self) -> None:
        if self._best:
            _copy(self._best, self._own)

    def state_dict(self) -> dict[str, Any]:
        return {"average": {"error": self._error, "tensors": self._best}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._error = state["average"]["error"]
        tensors = state["average"]["tensors"]
        self._best = {name: tensor.to(self._own[name].device, copy=True) for name, tensor in tensors.items()}


def _tensors(network: nn.Module, statistics: Callable[[Tensor], bool]) -> dict[str, Tensor]:
    """Parameters and chosen buffers of batch norms, by name."""
    norms = ((name, module) for name, module in network.named_modules() if isinstance(module, _BatchNorm))
    buffers = ((f"{prefix}.{name}", buffer) for prefix, norm in norms for name, buffer in norm.named_buffers())
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return parameters | {name: buffer for name, buffer in buffers if statistics(buffer)}


def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])
