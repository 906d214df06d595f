"""Tasks: the data, split and labels of a generation."""

from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ban_ray.specs.base import Sha256, Spec

Values = tuple[float, ...]


def _checked_statistics(given: object) -> object:
    """Means and deviations, checked by hand for a message that says how they are written."""
    parts = given if isinstance(given, list | tuple) else ()
    lists = [part for part in parts if isinstance(part, list | tuple) and part]
    numbers = [value for part in lists for value in part]
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers)
    if given is None or (
        (len(parts), len(lists)) == (2, 2)
        and len(lists[0]) == len(lists[1])
        and are_numbers
        and all(isfinite(value) for value in numbers)
        and min(lists[1]) > 0
    ):
        # As a record's strict reading wants them, whose JSON has lists.
        return None if given is None else tuple(map(tuple, lists))
    raise ValueError(
        "a list of means and one of deviations above 0 are needed, each with a value for every channel, such as "
        "[[0.485,0.456,0.406],[0.229,0.224,0.225]]"
    )


class Task(Spec):
    """Data, split and label noise as they enter a generation's key.

    Preprocessing and augmentation follow from `name` unless a field says otherwise, pixels and labels from
    `fingerprint`.

    Attributes:
        name: ``digits``, ``cifar10``, ``cifar100``, ``text``, ...
        fingerprint: SHA-256 of the decoded pixels and labels in canonical order, or of a text's tokens.
        split_seed: decides the held-out samples, together with the fingerprint alone.
        label_noise: share of the training labels that are replaced, by a hash of data and split.
        noise_kind: ``uniform`` replaces by a class drawn from all, the label's own included, so that of C classes a
            share of ``(1 - 1 / C) label_noise`` is wrong; ``pair`` that share of each class by the class after it
            (Han et al. 2018); ``asymmetric`` that share of some classes by the one they are confused with (Patrini et
            al. 2017), where the task knows these.
        protocol: ``search`` holds samples out of training; ``paper`` trains on all of them. A text's validation file
            is held out in both.
        tokens: whether a text is read as words or characters.
        flip: whether half of the training images are mirrored; None for what `name` says.
        normalise: mean and standard deviation of each channel, of pixels from 0 to 1, that images are brought to mean 0
            and deviation 1 by; None for those of the training part.
    """

    FIRST_FIELDS = frozenset(("name", "fingerprint", "split_seed", "label_noise", "protocol", "tokens"))

    name: str
    fingerprint: Sha256
    split_seed: Annotated[int, Field(ge=0)] = 0
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    protocol: Literal["search", "paper"] = "search"
    tokens: Literal["word", "char"] = "word"
    flip: bool | None = None
    normalise: Annotated[tuple[Values, Values] | None, BeforeValidator(_checked_statistics)] = None
    noise_kind: Literal["uniform", "pair", "asymmetric"] = "uniform"

    @model_validator(mode="after")
    def _a_kind_of_some_noise(self) -> Self:
        if self.noise_kind != "uniform" and not self.label_noise:
            raise ValueError(f"noise_kind = {self.noise_kind} has no effect with label_noise = 0")
        return self

    @property
    def noise(self) -> str:
        """The label noise in words; empty if there is none."""
        of_labels = f"{100 * self.label_noise:g} % of the training labels"
        return (
            {
                "uniform": f"{of_labels} replaced at random, own class included",
                "pair": f"{of_labels} of each class replaced by the next class",
                "asymmetric": f"{of_labels} of easily confused classes replaced by their counterparts",
            }[self.noise_kind]
            if self.label_noise
            else ""
        )

    @property
    def mirroring(self) -> str:
        """`flip` in words where it is not what `name` says; else empty."""
        return "" if self.flip is None else f"training images {'' if self.flip else 'not '}mirrored"

    @property
    def normalisation(self) -> str:
        """`normalise` in words; empty where it is the training part's own."""
        if self.normalise is None:
            return ""
        mean, deviation = (", ".join(f"{value:.4g}" for value in values) for values in self.normalise)
        return f"inputs normalised by mean {mean} and deviation {deviation}"

    def leaks_from(self, teacher: "Task") -> bool:
        """Whether a teacher of another task or split may have trained on this task's held-out samples.

        The paper protocol holds nothing out, so any teacher is allowed.
        """
        same = (self.name, self.fingerprint, self.split_seed) == (teacher.name, teacher.fingerprint, teacher.split_seed)
        return self.protocol == "search" and not (same and teacher.protocol == "search")
