"""A training step as a CUDA graph: its kernels, some hundreds, are launched together instead of one by one."""

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ban_ray.networks.modules.recurrent import Stateful
from ban_ray.training.step import StepInputs, TrainingStep

_log = logging.getLogger(__name__)

WARM_UP_STEPS = 3
"""Steps that are launched one by one before the capture, in which libraries choose algorithms and allocate."""


class GraphedStep:
    """Runs a `TrainingStep` of one shape on a GPU, from the fourth call on as a CUDA graph.

    The first steps train like all others. They are watched: a network is not captured, and its steps are launched one
    by one, if it waits for the GPU, if it draws random numbers on the CPU, or if it keeps anything but parameters and
    buffers from one step to the next, since a graph would repeat what the captured step did.
    """

    def __init__(self, step: TrainingStep, networks: list[nn.Module], name: str) -> None:
        """Args:
        networks: all networks of the step.
        name: of the student, for the message.
        """
        self._step, self._networks, self._name = step, networks, name
        self._graph: torch.cuda.CUDAGraph | None = None
        self._buffers: StepInputs | None = None
        self._warm_up_steps = 0
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stateful = any(isinstance(module, Stateful) for network in networks for module in network.modules())
        self.obstacle = "carries a state from batch to batch" if stateful else ""
        """Why the step is not captured, a verb phrase; empty if nothing is in the way."""

    @property
    def is_captured(self) -> bool:
        return self._graph is not None

    def __call__(self, inputs: StepInputs, learning_rate: float | Tensor) -> None:
        """Train on a batch.

        Args:
            inputs: tensors of the shapes and the memory order of the first call's.
            learning_rate: one scalar tensor for all calls, whose value may change.
        """
        if self._graph is None and not self.obstacle and self._warm_up_steps == WARM_UP_STEPS:
            self._capture(inputs, learning_rate)
        if self._graph is not None:
            self._copy(inputs)
            self._graph.replay()
            return
        if self.obstacle:
            self._step(inputs, learning_rate)
            return
        self._warm_up(inputs, learning_rate)

    def _warm_up(self, inputs: StepInputs, learning_rate: float | Tensor) -> None:
        """One step on a stream of its own, as a capture needs, under observation."""
        self._warm_up_steps += 1
        before = _host_state(self._networks)
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), _recorded_synchronisations() as synchronisations:
            self._step(inputs, learning_rate)
        torch.cuda.current_stream().wait_stream(self._stream)
        if self._warm_up_steps == 1:
            # Libraries load their kernels, and modules may prepare themselves.
            return
        if synchronisations:
            self.obstacle = f"waits for the GPU in every step ({synchronisations[0]})"
        else:
            self.obstacle = _changed(before, _host_state(self._networks))
        if self.obstacle:
            _log.warning("%s %s, so that its kernels are launched one by one", self._name, self.obstacle)

    def _capture(self, inputs: StepInputs, learning_rate: float | Tensor) -> None:
        self._buffers = StepInputs(*(tensor if tensor is None else tensor.clone() for tensor in inputs))  # type: ignore[arg-type]
        # The graph allocates gradients of its own.
        self._step.optimiser.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._step(self._buffers, learning_rate)
        self._graph = graph

    def _copy(self, inputs: StepInputs) -> None:
        assert self._buffers is not None
        for buffer, tensor in zip(self._buffers, inputs, strict=True):
            if buffer is not None and tensor is not None:
                buffer.copy_(tensor)


@contextmanager
def _recorded_synchronisations() -> Iterator[list[str]]:
    """Collect the file and line of each call that waits for the GPU."""
    found: list[str] = []
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for warning in caught:
        if "called a synchronizing CUDA operation" in str(warning.message):
            found.append(f"{warning.filename}:{warning.lineno}")
        elif "Synchronization debug mode is a prototype" not in str(warning.message):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


_HostState = tuple[Any, list[tuple[str, dict[str, Any]]]]


def _host_state(networks: list[nn.Module]) -> _HostState:
    """The states of the CPU's random number generators, and what the modules keep in plain attributes."""
    generators = (random.getstate(), str(np.random.get_state()), torch.get_rng_state().numpy().tobytes())  # noqa: NPY002
    modules = [
        (
            f"{type(module).__name__} {name}".strip(),
            {
                attribute: list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else value
                for attribute, value in vars(module).items()
                if attribute not in ("_parameters", "_buffers", "_modules")
            },
        )
        for network in networks
        for name, module in network.named_modules()
    ]
    return generators, modules


def _changed(before: _HostState, after: _HostState) -> str:
    """What a step has changed on the host, a verb phrase; empty if nothing."""
    if before[0] != after[0]:
        return "draws random numbers on the CPU"
    for (name, old), (_, new) in zip(before[1], after[1], strict=True):
        if old.keys() != new.keys():
            return f"changes the attributes of {name} in a step"
        for attribute, value in old.items():
            if not _same(value, new[attribute]):
                return f"changes {attribute} of {name} in a step"
    return ""


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same object, equal numbers or texts, or containers of such."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return isinstance(one, int | float | str) and one == other
