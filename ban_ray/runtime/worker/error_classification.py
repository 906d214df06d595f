"""Classifies errors of a training: a reason and a sentence, or only the sign that another worker has died."""

import errno

import torch
from torch.distributed import DistError

from ban_ray.errors import DamagedMember, GenerationFailed, PeerLost, UserError, storage_sentence
from ban_ray.population.failures import FailureReason
from ban_ray.specs import Generation


def is_lost_peer(error: Exception) -> bool:
    """Whether a collective call or a report failed because another process died, after which the group is restarted."""
    # Gloo's broken connections are plain runtime errors that name its source files.
    return isinstance(error, DistError | PeerLost) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def is_full_disk(error: OSError) -> bool:
    """Whether a disk or a quota is full; retrying would not help."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def classify_error(error: Exception, generation: Generation) -> tuple[FailureReason, str]:
    """The reason that is recorded and a sentence for the user."""
    if isinstance(error, GenerationFailed):
        return error.reason, str(error)
    if isinstance(error, UserError | DamagedMember):
        return "unusable", str(error)
    # Torch's CPU allocator has no error class of its own.
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        recipe = generation.recipe
        return "out-of-memory", (
            f"{generation.network} ran out of memory at batch size {recipe.batch_size} on {recipe.workers} workers; "
            "a smaller --batch-size, more --workers or a larger part of a GPU may help"
        )
    if isinstance(error, OSError):
        return "storage", storage_sentence(error)
    text = " ".join(str(error).split())
    return "error", f"{generation.network} cannot be trained: {type(error).__name__}: {text[:500]}"
