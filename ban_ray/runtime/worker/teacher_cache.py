"""The cache of a teacher's outputs: in the node's memory while students train, beside the teacher afterwards."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ban_ray.population import Population
from ban_ray.population.teacher_outputs import load, save
from ban_ray.runtime.messages import TrainingJob
from ban_ray.runtime.worker.admission import Admission
from ban_ray.runtime.worker.publishing import cpu_model
from ban_ray.specs import SEMANTICS_VERSION, Generation, digest
from ban_ray.tasks.task_data import TaskData
from ban_ray.training import distributed
from ban_ray.training.teacher_cache.shared_memory import SharedMemoryTable

_log = logging.getLogger(__name__)

NUMERICS_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "NVIDIA_TF32_OVERRIDE")
"""Environment variables by which libraries choose other algorithms, and so other bits."""


@contextmanager
def teacher_output_cache(
    population: Population,
    generation: Generation,
    admission: Admission,
    data: TaskData,
    job: TrainingJob,
    device: torch.device,
) -> Iterator[SharedMemoryTable | None]:
    """Open the table of cached outputs of a generation's teacher.

    Yields None if the recipe caches no outputs or the node has no memory for them. The table starts with the outputs
    that are stored beside the teacher. Outputs that this generation adds are stored there when the block ends without
    an error; publish the generation inside the block, so that they are stored only for one that succeeded.
    """
    limit = job.context.teacher_cache
    if generation.recipe.teacher_outputs != "cached" or not limit or not data.views:
        yield None
        return
    identity = _cache_key(generation, admission, device, deterministic=job.context.deterministic)
    teacher, storage = generation.teachers[0], population.storage
    try:
        # Workers open the same file by its name, so the limit, which decides its size, is part of the name.
        outputs = SharedMemoryTable(f"{identity[:32]}-{limit}", data.views, data.num_classes, limit)
    except OSError as error:
        _log.warning("outputs of teacher %s cannot be cached on this node: %s", teacher[:12], error)
        yield None
        return
    with outputs:
        with _errors_as_warnings(f"saved outputs of teacher {teacher[:12]} cannot be read"):
            if not len(outputs):
                load(storage, teacher, identity, outputs)
        yield outputs
        with _errors_as_warnings(f"outputs of teacher {teacher[:12]} cannot be saved"):
            if distributed.rank() == 0:
                save(storage, teacher, identity, outputs)


@contextmanager
def _errors_as_warnings(message: str) -> Iterator[None]:
    """Turn errors of the cache into warnings: training without it takes longer and gives the same bits."""
    try:
        yield
    except (OSError, MemoryError) as error:
        _log.warning("%s: %s", message, error)


def _cache_key(
    generation: Generation, admission: Admission, device: torch.device, *, deterministic: bool = False
) -> str:
    """A digest of everything that decides the bits of an output, except the view of the sample."""
    recipe = generation.recipe
    cuda, cpu = device.type == "cuda", torch.backends.cpu.get_cpu_capability()
    return digest(
        {
            "semantics_version": SEMANTICS_VERSION,
            "teachers": generation.teachers,
            "weights": [admission.teacher_digests[key] for key in generation.teachers],
            "task": generation.task.recorded(),
            "precision": recipe.precision,
            "batch": recipe.batch_size // recipe.workers,
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name(device) if cuda else cpu_model(),
            "library": torch.backends.cudnn.version() if cuda else cpu,  # type: ignore[no-untyped-call]
            "environment": {name: os.environ.get(name) for name in NUMERICS_VARIABLES},
            "threads": torch.get_num_threads(),
            # Older outputs have no such entry.
            **({"deterministic": True} if deterministic and cuda else {}),
        }
    )
