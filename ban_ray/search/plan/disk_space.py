"""The disk space that a search needs, checked before anything is trained."""

import shutil

from ban_ray.errors import UserError
from ban_ray.networks import registry
from ban_ray.population.checkpoints import KEPT
from ban_ray.search.plan.plan import Plan
from ban_ray.specs import Generation
from ban_ray.storage.opening import is_url

_FLOAT_BYTES = 4
_CHECKPOINT_TENSORS = 2
"""Tensors of a network's size in a checkpoint: the weights and the optimiser's velocities."""
_FLOATS_PER_TOKEN = 4
"""Floats that are stored of a distribution over a vocabulary."""
_RECORD_BYTES = 64 * 2**10
"""History, record and headers of a member."""


def check_disk_space(url: str, plan: Plan, concurrent: int) -> None:
    """Refuse a local storage that has less space than the members and checkpoints of a plan take.

    Raises:
        UserError: the storage is too small.
    """
    if is_url(url):
        # Object stores do not tell.
        return
    needed, free = needed_bytes(plan, concurrent), shutil.disk_usage(url).free
    if needed > free:
        raise UserError(
            f"--storage {url} has {free / 2**20:,.0f} MiB free and this search needs about {needed / 2**20:,.0f} MiB: "
            f"{len(plan.missing)} members, and checkpoints of {concurrent} chains"
        )


def needed_bytes(plan: Plan, concurrent: int) -> int:
    """Bytes of all missing members, and of the checkpoints of as many of the largest as train at once."""
    weights = sorted((_weight_bytes(plan, generation) for generation in plan.missing), reverse=True)
    spec = plan.spec
    samples = spec.sizes.held_out + spec.sizes.test
    predictions = samples * (spec.dataset.num_classes if spec.metric.classes else _FLOATS_PER_TOKEN) * _FLOAT_BYTES
    members = sum(weights) + len(weights) * (predictions + _RECORD_BYTES)
    # A new checkpoint is whole before an old one goes.
    return members + sum(weights[:concurrent]) * _CHECKPOINT_TENSORS * (KEPT + 1)


def _weight_bytes(plan: Plan, generation: Generation) -> int:
    dataset = plan.spec.dataset
    architecture = registry.architecture_of(generation)
    return architecture.parameters(dataset.num_classes, dataset.in_channels) * _FLOAT_BYTES
