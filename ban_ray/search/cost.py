"""What a search will cost: one step of each generation's kind, measured here, times the steps."""

import json
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

from ban_ray.search.step import Measured, Shape, measure
from ban_ray.specs import Generation, digest
from ban_ray.tasks.batches import steps_an_epoch
from ban_ray.tasks.kept import cache_root


@dataclass(frozen=True)
class Cost:
    """Of training some generations.

    Attributes:
        multiply_accumulates: forward and backward passes of students, forward passes of teachers.
        seconds: device-seconds, on the device that was measured.
        peak_bytes: the largest of one worker.
        device: what was measured, e.g. ``1 CPU thread``.
    """

    multiply_accumulates: float
    seconds: float
    peak_bytes: int
    device: str


def estimate(
    missing: Iterable[Generation],
    known: dict[str, Generation],
    *,
    num_classes: int,
    in_channels: int,
    sample_shape: tuple[int, ...],
    training_samples: int,
) -> Cost | None:
    """The cost of the missing generations; None where there are none.

    Args:
        known: specs by key, to find a student's teachers.
    """
    shapes: dict[Shape, int] = {}
    samples: dict[Shape, int] = {}
    for generation in missing:
        recipe = generation.recipe
        teachers = [known[key] for key in generation.teachers] if generation.objective.needs_teacher else []
        shape = Shape(
            network=generation.network,
            arguments=json.dumps(generation.network_arguments, sort_keys=True),
            teachers=tuple((t.network, json.dumps(t.network_arguments, sort_keys=True)) for t in teachers),
            num_classes=num_classes,
            in_channels=in_channels,
            sample_shape=sample_shape,
            batch=recipe.batch_size // recipe.workers,
            unroll=recipe.unroll,
            precision=recipe.precision,
        )
        steps = recipe.epochs * steps_an_epoch(generation.task.name, training_samples, recipe)
        shapes[shape] = shapes.get(shape, 0) + steps * recipe.workers
        samples[shape] = samples.get(shape, 0) + steps * recipe.batch_size * recipe.unroll
    if not shapes:
        return None
    found = {shape: _remembered(shape) for shape in shapes}
    return Cost(
        multiply_accumulates=sum(found[shape].multiply_accumulates * count for shape, count in samples.items()),
        seconds=sum(found[shape].seconds * count for shape, count in shapes.items()),
        peak_bytes=max(measured.peak_bytes for measured in found.values()),
        device=next(iter(found.values())).device,
    )


def _remembered(shape: Shape) -> Measured:
    """Measured once on this node; a process of its own, so that its peak memory is the step's."""
    file = cache_root() / "steps" / f"{digest(asdict(shape))}.json"
    if file.is_file():
        return Measured(**json.loads(file.read_text()))
    context = multiprocessing.get_context("forkserver")
    # Torch is imported once, by the server that the measuring processes are forked from.
    context.set_forkserver_preload(["ban_ray.training", "ban_ray.networks.cost"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        measured = pool.submit(measure, shape).result()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(measured)))
    return measured
