"""What a search will cost: one step of each generation's kind, measured here, times the steps."""

import importlib.metadata
import json
import multiprocessing
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from ban_ray import __version__
from ban_ray.networks.families.external import CustomNetwork
from ban_ray.networks.registry import DENSE, parse
from ban_ray.runtime.malloc import MALLOC_ENVIRONMENT
from ban_ray.search.plan.step_benchmark import CPU_THREAD, StepConfig, StepMeasurement, measure_step
from ban_ray.specs import Generation, digest
from ban_ray.storage.atomic_files import write_temporary
from ban_ray.tasks.batches import steps_per_epoch
from ban_ray.tasks.cache import cache_root


@dataclass(frozen=True)
class Cost:
    """Of training some generations.

    Attributes:
        multiply_accumulates: forward and backward passes of students, forward passes of teachers.
        seconds: device-seconds, on the device that was measured.
        longest_s: seconds of the chain that takes longest, whose generations follow each other.
        peak_bytes: the largest of one worker.
        device: what was measured, e.g. ``one CPU thread``. devices: as many are here.
        memory_bytes: of each such device, of processors together.
    """

    multiply_accumulates: float
    seconds: float
    longest_s: float
    peak_bytes: int
    device: str
    devices: int
    memory_bytes: int

    def wall_time(self, devices: int) -> float:
        """Seconds, without Ray's, if as many devices are in use."""
        return max(self.longest_s, self.seconds / devices)

    def fits(self, workers: int) -> bool:
        """Whether the largest steps of so many workers, a device each, have room in the memory here."""
        together = workers if self.device == CPU_THREAD else 1
        return together * self.peak_bytes <= self.memory_bytes


def estimate(
    missing: Iterable[Generation],
    known: Mapping[str, Generation],
    chains: Sequence[Sequence[str]],
    *,
    num_classes: int,
    in_channels: int,
    sample_shape: tuple[int, ...],
    training_samples: int,
    recompute: bool = False,
) -> Cost | None:
    """The cost of the missing generations; None where there are none.

    Teachers count as computed in every epoch, also where their outputs are kept.

    Args:
        known: specs by key, to find a student's teachers.
        chains: keys of the generations that one chain trains one after the other.
    """
    measurements: dict[StepConfig, StepMeasurement] = {}
    multiply_accumulates, seconds = 0.0, 0.0
    alone: dict[str, float] = {}
    for generation in missing:
        recipe = generation.recipe
        teachers = [known[key] for key in generation.teachers] if generation.objective.needs_teacher else []
        config = StepConfig(
            network=generation.network,
            arguments=json.dumps(generation.network_arguments, sort_keys=True),
            teachers=tuple((t.network, json.dumps(t.network_arguments, sort_keys=True)) for t in teachers),
            num_classes=num_classes,
            in_channels=in_channels,
            sample_shape=sample_shape,
            batch=recipe.batch_size // recipe.workers,
            unroll=recipe.unroll,
            precision=recipe.precision,
            recompute=recompute and isinstance(parse(generation.network, generation.network_arguments or None), DENSE),
        )
        if config not in measurements:
            measurements[config] = _cached(config)
        steps = recipe.epochs * steps_per_epoch(generation.task.name, training_samples, recipe)
        alone[generation.key] = steps * measurements[config].seconds
        seconds += alone[generation.key] * recipe.workers
        multiply_accumulates += measurements[config].multiply_accumulates * steps * recipe.batch_size * recipe.unroll
    if not measurements:
        return None
    first = next(iter(measurements.values()))
    return Cost(
        multiply_accumulates=multiply_accumulates,
        seconds=seconds,
        longest_s=max(sum(alone.get(key, 0.0) for key in chain) for chain in chains),
        peak_bytes=max(measured.peak_bytes for measured in measurements.values()),
        device=first.device,
        devices=first.devices,
        memory_bytes=first.memory_bytes,
    )


def _cached(config: StepConfig) -> StepMeasurement:
    """Measured once on this node; a network of the user's each time, since its code may have changed."""
    if any(isinstance(parse(name), CustomNetwork) for name, _ in ((config.network, ""), *config.teachers)):
        return _measure_in_process(config)
    here = {
        "torch": importlib.metadata.version("torch"),
        "ban_ray": __version__,
        # Nodes may share a home, and a process may be kept from its node's GPUs.
        "host": platform.node(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    file = cache_root() / "steps" / f"{digest({**asdict(config), **here})}.json"
    if (noted := _read_cache(file)) is not None:
        return noted
    measured = _measure_in_process(config)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_temporary(file, json.dumps(asdict(measured)).encode()).replace(file)
    return measured


def _read_cache(file: Path) -> StepMeasurement | None:
    """None where nothing is noted, or not by this version."""
    try:
        return StepMeasurement(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _measure_in_process(config: StepConfig) -> StepMeasurement:
    """In a process of its own, so that its peak memory is the step's."""
    context = multiprocessing.get_context("forkserver")
    # Torch is imported once, by the server that the measuring processes are forked from.
    context.set_forkserver_preload(["ban_ray.training", "ban_ray.networks.cost"])
    # The server, once started, is the parent of all further measurements.
    environment = {name: os.environ.get(name) for name in MALLOC_ENVIRONMENT}
    os.environ.update({name: environment[name] or value for name, value in MALLOC_ENVIRONMENT.items()})
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(measure_step, config).result()
    finally:
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
