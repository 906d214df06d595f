"""The choice of the weights that generations start from: a file, a member's weights, or the library's own."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.errors import DamagedMember, UserError
from ban_ray.population.initial_weights import stored
from ban_ray.population.layout import is_key
from ban_ray.population.member import Member
from ban_ray.population.population import Population
from ban_ray.specs import Task
from ban_ray.tasks.task_type import DataSet

if TYPE_CHECKING:
    from ban_ray.networks.architecture import Architecture

DEFAULT = "default"
FORMS = "a safetensors file, a member's KEY and default are allowed"
_KEY = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class InitialWeights:
    """Weights that fit a network, which each generation starts from.

    Attributes:
        data: a safetensors file.
        description: of their origin and of what they do not decide, in words.
        normalise: mean and deviation of the images that the library's own weights were trained on, as in `Task`.
    """

    sha256: str
    data: bytes
    description: str
    normalise: tuple[tuple[float, ...], tuple[float, ...]] | None = None


def choose(
    text: str, architecture: "Architecture", task: Task, dataset: DataSet, population: Population | None
) -> InitialWeights:
    """The weights that a user names, for a network on a data set.

    Args:
        text: the path of a safetensors file, ``default``, or the first 8 digits or more of a member's key. All digits
            of the digest of weights that the storage has are allowed too.
        population: None where the storage does not exist yet.

    Raises:
        UserError: there are no such weights, they do not fit the network, or a member was trained on this task's
            held-out samples.
    """
    from ban_ray.networks.pretrained import digest_of, new_tensors, to_file, weights_of

    option = f"--pretrained {text!r}"
    normalise, classes, channels = None, dataset.num_classes, dataset.in_channels
    if text == DEFAULT:
        offered = architecture.default_weights(classes, channels)
        data, origin = to_file(offered.tensors), f"{architecture.name}'s default weights"
        if len(offered.mean) == channels:
            normalise = offered.mean, offered.deviation
    else:
        data, origin = _read(text, option, population)
    sha256 = digest_of(data)
    if population is not None:
        origin = _without_leak(population, sha256, task, option) or origin
    undecided = new_tensors(architecture, classes, channels, weights_of(data, option), option)
    head = f", {' and '.join(undecided)} made anew" if undecided else ""
    return InitialWeights(sha256, data, f"{origin} ({sha256[:12]}){head}", normalise)


def _read(text: str, option: str, population: Population | None) -> tuple[bytes, str]:
    """A file or what the population has, and its origin in words."""
    path = Path(text)
    try:
        if path.is_file():
            return path.read_bytes(), path.name
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{option} cannot be read: {reason}; {FORMS}") from error
    if is_folder or not _KEY.fullmatch(text):
        raise UserError(f"{option} is {'a folder' if is_folder else 'no file'}; {FORMS}")
    if population is None:
        raise UserError(f"{option} is no file, and there is no population yet to take a member from; {FORMS}")
    if is_key(text) and (data := stored.find(population.storage, text)) is not None:
        return data, "weights of the storage"
    try:
        member = population[population.find_key(text)]
        return population.file(member, member.weights), _describe(member)
    except UserError as error:
        raise UserError(f"{option}: {error}") from error
    except DamagedMember as error:
        raise UserError(f"{option}: {error.advice}") from error


def _without_leak(population: Population, sha256: str, task: Task, option: str) -> str:
    """A description of the member that has these weights; empty if none has.

    Raises:
        UserError: it, or a member that it started from, trained on samples that the task holds out.
    """
    by_weights: dict[str, list[Member]] = {}
    for member in population:
        by_weights.setdefault(member.weights.sha256, []).append(member)
    waiting = list(by_weights.get(sha256, ()))
    description = _describe(waiting[0]) if waiting else ""
    while waiting:
        member = waiting.pop()
        trained_on = member.generation.task
        if trained_on.fingerprint == task.fingerprint and task.leaks_from(trained_on):
            raise UserError(
                f"{option}: member {member.key[:12]} trained on the same data under {member.split}, and may have seen "
                "this search's held-out samples; members of the same split or of other data are allowed"
            )
        # Each list is read once, so that damaged records cannot lead in a circle.
        waiting += by_weights.pop(member.generation.initial_weights or "", ())
    return description


def _describe(member: Member) -> str:
    return f"member {member.key[:12]}, {member.generation.network} on {member.generation.task.name}"
