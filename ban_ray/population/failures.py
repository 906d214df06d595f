"""Records of generations that could not be trained, so that no other run tries them in vain."""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ban_ray.population.layout import failure_file
from ban_ray.storage.base import Storage

FailureReason = Literal["non-finite", "unusable", "out-of-memory", "storage", "error"]
"""``non-finite`` holds for every search, since each would meet it; the others hold for one search alone."""


class Failure(BaseModel):
    """The reason why a generation has no member.

    Attributes:
        reason: a `FailureReason`, or another word of another version.
        search: name of the execution of a search that it holds for; None for every one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    sentence: str
    search: str | None


def record(storage: Storage, key: str, reason: FailureReason, sentence: str, execution_name: str) -> None:
    """Record the failure of a key; a non-finite loss is the same in every execution."""
    failure = Failure(reason=reason, sentence=sentence, search=None if reason == "non-finite" else execution_name)
    storage.write(failure_file(key), json.dumps(failure.model_dump()).encode())


def lookup(storage: Storage, key: str, execution_name: str) -> Failure | None:
    """The failure that holds for an execution of a search; None if there is none."""
    try:
        failure = Failure.model_validate_json(storage.read(failure_file(key)))
    except (FileNotFoundError, ValidationError):
        return None
    return failure if failure.search in (None, execution_name) else None


def forget(storage: Storage, key: str) -> None:
    """Delete the record of a key, which may then be trained."""
    storage.delete(failure_file(key))
