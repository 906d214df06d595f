"""The cost of a search: the measured time of one step of each kind of generation, times the number of steps."""

import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass

from ban_ray import __version__
from ban_ray.networks.families.custom import CustomNetwork
from ban_ray.networks.registry import architecture_of, parse
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.search.config.spec import SearchSpec
from ban_ray.search.plan.step_benchmark import CPU_THREAD, StepConfig, StepMeasurement, measure_step
from ban_ray.specs import Generation, digest
from ban_ray.storage.atomic_files import write_temporary
from ban_ray.tasks.batches import steps_per_epoch
from ban_ray.tasks.cache import cache_root
from ban_ray.tasks.catalog import TASK_TYPES
from ban_ray.tasks.decoded.memory import BUFFERS, available_bytes


@dataclass(frozen=True)
class Cost:
    """The cost of training some generations.

    Attributes:
        multiply_accumulates: those of forward and backward passes of students and of forward passes of teachers.
        seconds: device-seconds, on the device that was measured.
        longest_s: seconds of the longest chain, whose generations are trained one after another.
        peak_bytes: the largest peak memory of one worker, its part of the data included.
        device: the measured device, e.g. ``one CPU thread``.
        devices: number of such devices here.
        memory_bytes: memory of each such device; of all processors together.
    """

    multiply_accumulates: float
    seconds: float
    longest_s: float
    peak_bytes: int
    device: str
    devices: int
    memory_bytes: int

    def wall_time_s(self, devices: int) -> float:
        """Seconds of training with this number of devices in use, without the start of Ray and its workers."""
        return max(self.longest_s, self.seconds / devices)

    def fits(self, workers: int) -> bool:
        """Whether the memory here is enough for the largest step of this number of workers, each on a device."""
        together = workers if self.device == CPU_THREAD else 1
        return together * self.peak_bytes <= self.memory_bytes


def estimate_cost(
    spec: SearchSpec, missing: Iterable[Generation], generations_by_key: Mapping[str, Generation]
) -> Cost | None:
    """The cost of the missing generations of a search; None if there are none.

    Teachers count as computed in every epoch, even if their outputs are cached.

    Args:
        generations_by_key: the missing generations and their teachers.
    """
    measurements: dict[StepConfig, StepMeasurement] = {}
    multiply_accumulates, seconds, peak_bytes = 0.0, 0.0, 0
    seconds_of: dict[str, float] = {}
    for generation in missing:
        recipe, config = generation.recipe, step_config(spec, generation, generations_by_key)
        if config not in measurements:
            measurements[config] = measure_step_cached(config)
        of_data = resident_data_bytes(spec, measurements[config], recipe.batch_size // recipe.workers)
        peak_bytes = max(peak_bytes, measurements[config].peak_bytes + of_data)
        steps = recipe.trained_epochs * steps_per_epoch(generation.task.name, spec.sample_counts.train, recipe)
        seconds_of[generation.key] = steps * recipe.micro_batches * measurements[config].seconds
        seconds += seconds_of[generation.key] * recipe.workers
        multiply_accumulates += measurements[config].multiply_accumulates * steps * recipe.batch_size * recipe.unroll
    if not measurements:
        return None
    first = next(iter(measurements.values()))
    return Cost(
        multiply_accumulates=multiply_accumulates,
        seconds=seconds,
        longest_s=max(sum(seconds_of.get(key, 0.0) for key in planned.chain.keys) for planned in spec.chains),
        peak_bytes=peak_bytes,
        device=first.device,
        devices=first.devices,
        memory_bytes=first.memory_bytes,
    )


def resident_data_bytes(spec: SearchSpec, measured: StepMeasurement | Cost, worker_batch_size: int) -> int:
    """Bytes of the data that one worker has in memory: all of them, or some batches ahead."""
    dataset = spec.dataset
    if data_fits_in_memory(spec, measured):
        return dataset.num_bytes
    return BUFFERS * worker_batch_size * math.prod(dataset.sample_shape)


def data_fits_in_memory(spec: SearchSpec, measured: StepMeasurement | Cost) -> bool:
    """Whether the data are held in the memory of the measured device, given that nothing else is."""
    free = available_bytes() if measured.device == CPU_THREAD else measured.memory_bytes
    return TASK_TYPES[spec.context.task.name].fits_in_memory(spec.dataset, free)


def step_config(spec: SearchSpec, generation: Generation, generations_by_key: Mapping[str, Generation]) -> StepConfig:
    """Everything that decides the cost of a step of a generation, or of one micro-batch of it."""
    recipe, dataset = generation.recipe, spec.dataset
    teachers = [generations_by_key[key] for key in generation.teachers] if generation.objective.needs_teacher else []
    if generation.objective.loss.needs_own_average:
        teachers = [generation]
    return StepConfig(
        network=generation.network,
        network_arguments=json.dumps(generation.network_arguments, sort_keys=True),
        teacher_networks=tuple((t.network, json.dumps(t.network_arguments, sort_keys=True)) for t in teachers),
        num_classes=dataset.num_classes,
        in_channels=dataset.in_channels,
        sample_shape=dataset.sample_shape,
        micro_batch_size=recipe.batch_size // recipe.workers // recipe.micro_batches,
        unroll=recipe.unroll,
        precision=recipe.precision,
        recompute=spec.options.recompute and architecture_of(generation).recomputable,
    )


def measure_step_cached(config: StepConfig) -> StepMeasurement:
    """The cost of a step, measured once on this node; every time for the user's own networks, whose code may change."""
    if any(isinstance(parse(name), CustomNetwork) for name, _ in ((config.network, ""), *config.teacher_networks)):
        return _measure_in_process(config)
    here = {
        "torch": importlib.metadata.version("torch"),
        "ban_ray": __version__,
        # Nodes may share a home, and a process may be kept from its node's GPUs.
        "host": platform.node(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    file = cache_root() / "steps" / f"{digest({**asdict(config), **here})}.json"
    # Another version may have written another form.
    with suppress(FileNotFoundError, ValueError, TypeError):
        return StepMeasurement(**json.loads(file.read_text()))
    measurement = _measure_in_process(config)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_temporary(file, json.dumps(asdict(measurement)).encode()).replace(file)
    return measurement


def _measure_in_process(config: StepConfig) -> StepMeasurement:
    """Measure in a process of its own, so that its peak memory is the step's."""
    context = multiprocessing.get_context("forkserver")
    # Torch is imported once, by the server that the measuring processes are forked from.
    context.set_forkserver_preload(["ban_ray.training", "ban_ray.networks.cost"])
    # All measurements are forked from the server, so its environment is set before it starts.
    environment = {name: os.environ.get(name) for name in MALLOC_ENVIRONMENT}
    os.environ.update({name: environment[name] or value for name, value in MALLOC_ENVIRONMENT.items()})
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(measure_step, config).result()
    finally:
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
