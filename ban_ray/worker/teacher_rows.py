"""Where a worker keeps its teacher's outputs: in the node's memory while students train, beside the teacher after."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ban_ray.order import Order
from ban_ray.population import Population, teacher_outputs
from ban_ray.shared_rows import Numbers, Rows, SharedRows
from ban_ray.specs import SEMANTICS_VERSION, Generation, digest
from ban_ray.tasks.data import TaskData
from ban_ray.training import group
from ban_ray.worker.decision import Decision

_log = logging.getLogger(__name__)


@contextmanager
def teacher_rows(
    population: Population,
    generation: Generation,
    decision: Decision,
    data: TaskData,
    order: Order,
    device: torch.device,
) -> Iterator[SharedRows | None]:
    """Rows for a generation whose recipe caches its teacher's outputs, None for others.

    They begin with what is kept beside the teacher, and what a generation adds is kept there at its end.
    """
    cached = generation.recipe.teacher_outputs == "cached" and generation.objective.needs_teacher
    if not cached or not order.teacher_cache_bytes or not data.views:
        yield None
        return
    identity = _identity(generation, decision, device)
    name = f"{identity[:32]}-{order.teacher_cache_bytes}"
    first = generation.teachers[0]
    with SharedRows(name, data.views, data.num_classes, order.teacher_cache_bytes) as rows:
        known = 0
        if not len(rows) and (kept := _kept(population, first, identity, data)) is not None:
            rows.add(*kept)
            known = len(kept[0])
        yield rows
        if group.rank() == 0 and len(rows) > known:
            try:
                teacher_outputs.save(population.storage, first, identity, *rows.all())
            except OSError as error:
                # Only time is lost.
                _log.warning("outputs of teacher %s are not kept: %s", first[:12], error)


def _kept(population: Population, key: str, identity: str, data: TaskData) -> tuple[Numbers, Rows] | None:
    try:
        return teacher_outputs.load(population.storage, key, identity, data.views, data.num_classes)
    except OSError as error:
        _log.warning("kept outputs of teacher %s cannot be read: %s", key[:12], error)
        return None


def _identity(generation: Generation, decision: Decision, device: torch.device) -> str:
    """A digest of everything that decides the bits of an output beside its view."""
    recipe = generation.recipe
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return digest(
        {
            "semantics_version": SEMANTICS_VERSION,
            "weights": [decision.digests[key] for key in generation.teachers],
            "task": generation.task.model_dump(),
            "precision": recipe.precision,
            "batch": recipe.batch_size // recipe.workers,
            "torch": torch.__version__,
            "device": f"{device.type} {on}",
            "threads": torch.get_num_threads(),
        }
    )
