"""Tasks: the data, split and labels of a generation."""

from typing import Annotated, Literal

from pydantic import Field

from ban_ray.specs.base import Sha256, Spec


class Task(Spec):
    """Data, split and label noise as they enter a generation's key.

    Preprocessing and augmentation follow from `name` unless a field says otherwise, pixels and labels from
    `fingerprint`.

    Attributes:
        name: ``digits``, ``cifar10``, ``cifar100``, ``text``, ...
        fingerprint: SHA-256 of the decoded pixels and labels in canonical order, or of a text's tokens.
        split_seed: decides the held-out samples, together with the fingerprint alone.
        label_noise: share of the training labels replaced by one drawn uniformly over all classes.
        protocol: ``search`` holds samples out of training; ``paper`` trains on all of them. A text's validation file
            is held out in both.
        tokens: whether a text is read as words or characters.
        flip: whether half of the training images are mirrored; None for what `name` says.
    """

    FIRST_FIELDS = frozenset(("name", "fingerprint", "split_seed", "label_noise", "protocol", "tokens"))

    name: str
    fingerprint: Sha256
    split_seed: Annotated[int, Field(ge=0)] = 0
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    protocol: Literal["search", "paper"] = "search"
    tokens: Literal["word", "char"] = "word"
    flip: bool | None = None

    @property
    def mirroring(self) -> str:
        """`flip` in words where it is not what `name` says; else empty."""
        return "" if self.flip is None else f"training images {'' if self.flip else 'not '}mirrored"

    def leaks_from(self, teacher: "Task") -> bool:
        """Whether a teacher of another task or split may have trained on this task's held-out samples.

        The paper protocol holds nothing out, so any teacher is allowed.
        """
        same = (self.name, self.fingerprint, self.split_seed) == (teacher.name, teacher.fingerprint, teacher.split_seed)
        return self.protocol == "search" and not (same and teacher.protocol == "search")
