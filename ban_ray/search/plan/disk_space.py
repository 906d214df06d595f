"""The disk space that a search needs, checked before training starts."""

import shutil

from ban_ray.errors import UserError
from ban_ray.population.checkpoints import KEPT
from ban_ray.search.plan.plan import Plan
from ban_ray.storage.opening import is_url

_FLOAT_BYTES = 4
_CHECKPOINT_TENSORS = 2
"""Tensors of the network's size in a checkpoint: the weights and the optimiser's momentum."""
_FLOATS_PER_TOKEN = 4
"""Floats that are stored for each token, whatever the size of the vocabulary."""
_RECORD_BYTES = 64 * 2**10
"""Bytes of a member beside weights and predictions: its record, history and file headers."""


def check_disk_space(url: str, plan: Plan, max_concurrent_chains: int) -> None:
    """Refuse a local storage that has too little free space for the members and checkpoints of a plan.

    Raises:
        UserError: the storage is too small.
    """
    if is_url(url):
        # An object store does not report its free space.
        return
    needed, free = needed_bytes(plan, max_concurrent_chains), shutil.disk_usage(url).free
    if needed > free:
        raise UserError(
            f"--storage {url} has {free / 2**20:,.0f} MiB free and this search needs about {needed / 2**20:,.0f} MiB: "
            f"{len(plan.missing_generations)} members, and checkpoints of {max_concurrent_chains} chains"
        )


def needed_bytes(plan: Plan, max_concurrent_chains: int) -> int:
    """Bytes of all missing members, and of the checkpoints of the `max_concurrent_chains` largest networks."""
    spec = plan.spec
    weights = sorted(
        (spec.num_parameters_of(generation) * _FLOAT_BYTES for generation in plan.missing_generations), reverse=True
    )
    samples = spec.sample_counts.held_out + spec.sample_counts.test
    predictions = (
        samples * (spec.dataset.num_classes if spec.metric.is_classification else _FLOATS_PER_TOKEN) * _FLOAT_BYTES
    )
    members = sum(weights) + len(weights) * (predictions + _RECORD_BYTES)
    # An old checkpoint is removed only after the new one is written.
    return members + sum(weights[:max_concurrent_chains]) * _CHECKPOINT_TENSORS * (KEPT + 1)
