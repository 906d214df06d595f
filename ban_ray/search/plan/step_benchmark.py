"""Measurement of one training step, in a process of its own that imports torch."""

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

BUDGET_MULTIPLY_ACCUMULATES = 2e10
"""On a CPU, multiply-accumulates above which a step is measured on a part of its batch."""

CPU_THREAD = "one CPU thread"

NUM_TIMED_STEPS = 3
MAX_TIMED_S = 1.0
"""Total time after which no further step is timed; long steps vary little."""


@dataclass(frozen=True)
class StepConfig:
    """Everything that decides the cost of a step.

    Attributes:
        network_arguments: as JSON.
        teacher_networks: name, and arguments as JSON, of each teacher's network.
        micro_batch_size: samples of one worker in one micro-batch.
    """

    network: str
    network_arguments: str
    teacher_networks: tuple[tuple[str, str], ...]
    num_classes: int
    in_channels: int
    sample_shape: tuple[int, ...]
    micro_batch_size: int
    unroll: int
    precision: str
    recompute: bool = False


@dataclass(frozen=True)
class StepMeasurement:
    """The cost of a step on one device.

    Attributes:
        multiply_accumulates: for one sample: three forward passes of the student, one of each teacher.
        devices: number of such devices here.
        memory_bytes: memory of each device; of all processors together.
    """

    seconds: float
    peak_bytes: int
    multiply_accumulates: int
    device: str
    devices: int
    memory_bytes: int


def measure_step(config: StepConfig) -> StepMeasurement:
    """Time forward, backward and update of a student, with its teachers' forward passes."""
    import torch

    from ban_ray.networks.building import build
    from ban_ray.networks.cost import multiply_accumulates
    from ban_ray.networks.modules.recurrent import reset_state
    from ban_ray.specs import Objective, Recipe
    from ban_ray.tasks.batches import random_batch
    from ban_ray.training import Teacher
    from ban_ray.training.cuda_graph import WARM_UP_STEPS, GraphedStep
    from ban_ray.training.meters import Meters
    from ban_ray.training.optimizer import SGD
    from ban_ray.training.precision import set_determinism, set_precision, to_device
    from ban_ray.training.step import StepInputs, TrainingStep

    torch.set_num_threads(1)
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    recipe = Recipe(precision=config.precision, unroll=config.unroll)
    set_precision(recipe, device)
    set_determinism(False, device)

    def sample_macs(network: str, arguments: str) -> int:
        decoded = json.loads(arguments) or None
        return multiply_accumulates(network, config.num_classes, config.in_channels, config.sample_shape, decoded)

    macs = 3 * sample_macs(config.network, config.network_arguments) + sum(
        sample_macs(*teacher) for teacher in config.teacher_networks
    )
    batch = config.micro_batch_size
    if not on_gpu:
        batch = max(2, min(batch, int(BUDGET_MULTIPLY_ACCUMULATES // (macs * config.unroll))))

    def peak_bytes() -> int:
        """Peak memory so far: of the GPU's allocator, or of this process on a CPU."""
        if on_gpu:
            return int(torch.cuda.max_memory_allocated(device))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def network(name: str, arguments: str, recompute: bool = False) -> torch.nn.Module:
        decoded = json.loads(arguments) or None
        built = build(name, config.num_classes, config.in_channels, decoded, recompute=recompute)
        return to_device(built, device)

    student = network(config.network, config.network_arguments, config.recompute)
    teacher = Teacher([network(*each) for each in config.teacher_networks]) if config.teacher_networks else None
    objective = Objective(name="label" if teacher is None else "ban+l")
    eager = TrainingStep(student, teacher, objective.loss, SGD(student.parameters(), recipe), Meters(device), recipe)
    step: Callable[[StepInputs, float | torch.Tensor], None] = eager
    learning_rate: float | torch.Tensor = 1e-3
    if on_gpu:
        step = GraphedStep(eager, [student] if teacher is None else [student, teacher], config.network)
        learning_rate = torch.tensor(learning_rate, device=device)
    inputs = StepInputs(
        *random_batch(config.sample_shape, config.num_classes, batch, config.unroll, device),
    )
    idle_bytes = peak_bytes()
    # A GPU's step is captured after its warm-up.
    num_untimed = WARM_UP_STEPS + 1 if on_gpu else 1
    seconds: list[float] = []
    while len(seconds) < num_untimed + NUM_TIMED_STEPS and sum(seconds[num_untimed:]) < MAX_TIMED_S:
        reset_state(student)
        reset_state(teacher)
        began = time.perf_counter()
        step(inputs, learning_rate)
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    grown = max(0, peak_bytes() - idle_bytes)
    if on_gpu:
        memory_bytes = int(torch.cuda.get_device_properties(device).total_memory)
    else:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return StepMeasurement(
        seconds=min(seconds[num_untimed:]) * config.micro_batch_size / batch,
        peak_bytes=idle_bytes + int(grown * config.micro_batch_size / batch),
        multiply_accumulates=macs,
        device=torch.cuda.get_device_name(device) if on_gpu else CPU_THREAD,
        devices=torch.cuda.device_count() if on_gpu else os.cpu_count() or 1,
        memory_bytes=memory_bytes,
    )
