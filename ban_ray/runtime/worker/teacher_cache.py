"""Where a worker keeps its teacher's outputs: in the node's memory while students train, beside the teacher after."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ban_ray.population import Population
from ban_ray.population.teacher_outputs import count, load, save
from ban_ray.runtime.messages import TrainingJob
from ban_ray.runtime.worker.admission import Admission
from ban_ray.runtime.worker.publishing import processor
from ban_ray.specs import SEMANTICS_VERSION, Generation, digest
from ban_ray.tasks.task_data import TaskData
from ban_ray.training import distributed
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable

_log = logging.getLogger(__name__)

FREE_SPACE_FACTOR = 4
"""Outputs are kept where so many times their size is free."""

NUMERICS_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "NVIDIA_TF32_OVERRIDE")
"""Environment variables with which libraries choose other computations."""


@contextmanager
def teacher_output_cache(
    population: Population,
    generation: Generation,
    admission: Admission,
    data: TaskData,
    job: TrainingJob,
    device: torch.device,
) -> Iterator[SharedMemoryTable | None]:
    """Rows for a generation whose recipe caches its teacher's outputs, None for others.

    They begin with what is kept beside the teacher. What a generation adds is kept there when the block ends without
    an error, so that belongs after its publication.
    """
    cached = generation.recipe.teacher_outputs == "cached" and generation.objective.needs_teacher
    if not cached or not job.context.teacher_cache or not data.views:
        yield None
        return
    identity = _cache_key(generation, admission, device)
    first, storage = generation.teachers[0], population.storage
    try:
        # Files of one name have one size.
        limit = job.context.teacher_cache
        rows = SharedMemoryTable(f"{identity[:32]}-{limit}", data.views, data.num_classes, limit)
    except OSError as error:
        _log.warning("outputs of teacher %s are not kept on this node: %s", first[:12], error)
        yield None
        return
    with rows:
        try:
            if not len(rows) and (saved := load(storage, first, identity, data.views, data.num_classes)) is not None:
                rows.add(*saved)
        except (OSError, MemoryError) as error:
            _log.warning("kept outputs of teacher %s are not read: %s", first[:12], error)
        yield rows
        try:
            if distributed.rank() == 0 and _is_worth_saving(
                rows, count(storage, first, identity), storage.free_bytes()
            ):
                save(storage, first, identity, *rows.all())
        except (OSError, MemoryError) as error:
            # Only time is lost.
            _log.warning("outputs of teacher %s are not kept: %s", first[:12], error)


def _is_worth_saving(rows: SharedMemoryTable, num_saved: int, free_bytes: int | None) -> bool:
    """Whether there are more than the storage has, and members and checkpoints have more room left than they take."""
    return len(rows) > num_saved and (free_bytes is None or free_bytes > FREE_SPACE_FACTOR * rows.nbytes)


def _cache_key(generation: Generation, admission: Admission, device: torch.device) -> str:
    """A digest of everything that decides the bits of an output beside its view."""
    recipe = generation.recipe
    cuda = device.type == "cuda"
    return digest(
        {
            "semantics_version": SEMANTICS_VERSION,
            "teachers": generation.teachers,
            "weights": [admission.teacher_digests[key] for key in generation.teachers],
            "task": generation.task.model_dump(),
            "precision": recipe.precision,
            "batch": recipe.batch_size // recipe.workers,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name(device) if cuda else processor(),
            "library": _cudnn() if cuda else torch.backends.cpu.get_cpu_capability(),
            "environment": {name: os.environ.get(name) for name in NUMERICS_VARIABLES},
            "threads": torch.get_num_threads(),
        }
    )


def _cudnn() -> int | None:
    version: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return version
