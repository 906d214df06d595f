"""The admission of a generation: reused, claimed by another run, refused, or trained from a given state."""

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ban_ray.errors import DamagedMember, UserError
from ban_ray.networks.pretrained import weights_of
from ban_ray.population import Member, Population, checkpoints, claims, failures
from ban_ray.population.initial_weights import stored
from ban_ray.runtime.messages import TrainingJob
from ban_ray.specs import Generation
from ban_ray.storage.identity import mismatch


class Admission(BaseModel):
    """Rank 0's decision on one generation, for all workers.

    Attributes:
        teachers: spec and weights of each teacher.
        teacher_digests: digests of the weights that teach, by the teacher's key.
        initial_weights: those that the generation starts from; None where it starts from random ones.
        checkpoint: the newest checkpoint, as bytes; None where training starts anew.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    action: Literal["reused", "claimed_elsewhere", "failed", "train"]
    message: str = ""
    teachers: tuple[tuple[Generation, dict[str, Tensor]], ...] = ()
    teacher_digests: dict[str, str] = Field(default_factory=dict)
    initial_weights: dict[str, Tensor] | None = None
    checkpoint: bytes | None = None


def admit(population: Population, generation: Generation, job: TrainingJob) -> tuple[Admission, claims.Claim | None]:
    """Look the generation up and claim it; a generation to be trained comes with its teachers and newest checkpoint."""
    storage, key = population.storage, generation.key
    claim = None
    if job.context.storage_id and (storage_mismatch := mismatch(storage, job.context.storage_id)):
        return Admission(action="failed", message=storage_mismatch), None
    try:
        if population.get(key) is not None:
            return Admission(action="reused"), None
        if failure := failures.lookup(storage, key, job.context.execution_name):
            return Admission(action="failed", message=failure.sentence), None
        claim = claims.acquire(storage, key, job.job_id, expired=job.expired_claim_numbers.get(key, 0))
        if claim is None:
            return Admission(action="claimed_elsewhere"), None
        if population.get(key) is not None:
            # Published between the look-up and the claim.
            claim.end()
            return Admission(action="reused"), None
        loaded, digests = {}, {}
        # One that is named twice has twice the weight, and is read once.
        for teacher in dict.fromkeys(generation.teachers):
            member = _teacher(population, teacher, generation)
            weights = {name: torch.from_numpy(array) for name, array in population.weights(member).items()}
            loaded[teacher] = member.generation, weights
            digests[teacher] = member.weights.sha256
        initial_weights = None
        if (sha256 := generation.initial_weights) is not None:
            initial_weights = weights_of(stored.read(storage, sha256), f"{sha256[:12]}.safetensors")
    except (DamagedMember, UserError) as error:
        if claim is not None:
            claim.release()
        return Admission(
            action="failed", message=error.advice if isinstance(error, DamagedMember) else str(error)
        ), None
    checkpoint = next((data for _, data in checkpoints.newest_first(storage, key)), None)
    admission = Admission(
        action="train",
        teachers=tuple(loaded[teacher] for teacher in generation.teachers),
        teacher_digests=digests,
        initial_weights=initial_weights,
        checkpoint=checkpoint,
    )
    return admission, claim


def _teacher(population: Population, key: str, generation: Generation) -> Member:
    member = population.get(key)
    if member is None:
        raise UserError(f"generation {generation.key[:12]} needs the teacher {key}, which is not in the population")
    taught_on = member.generation.task
    if generation.task.leaks_from(taught_on):
        raise UserError(
            f"teacher {key[:12]} of {generation.network} trained on another split (protocol "
            f"{taught_on.protocol}, split seed {taught_on.split_seed}) and may have seen "
            f"this task's held-out samples; only teachers of the same task, split and protocol are allowed"
        )
    if generation.task.normalise != taught_on.normalise:
        raise UserError(
            f"teacher {key[:12]} of {generation.network} expects inputs normalised differently (task.normalise), but "
            "teacher and student share their inputs"
        )
    return member
