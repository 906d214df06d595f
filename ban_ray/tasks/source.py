"""The source of a task's samples: files, and how they are to be read."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ban_ray.errors import UserError
from ban_ray.specs.base import Spec
from ban_ray.tasks.catalog import TASK_TYPES

MIN_SIDE = 8
"""Pixels: networks halve the image twice, to no less than two pixels."""

MAX_SIDE = 1024
"""Pixels: a decoded picture of this size takes 3 MB."""

Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]


class Source(Spec):
    """The files of a task; provenance, never part of a key.

    An unknown task, a missing option and one that the task does not use raise `UserError`.

    Attributes:
        name: the task's.
        data: absolute folder, None for embedded data.
        label_column: of Parquet files, or the key in torchvision's CIFAR files; None to find it by name.
        image_size: (height, width) in pixels that a folder's images are brought to; None if they have one size.
        download: whether files that are not in `data` may be fetched from the network.
        tokens: whether a text is read by words, as it is by default, or by characters.
        skip_bad: whether images that cannot be decoded are left out.
    """

    name: str
    data: Annotated[str, Field(min_length=1)] | None = None
    label_column: str | None = None
    image_size: tuple[Side, Side] | None = None
    download: bool = False
    tokens: Literal["word", "char"] | None = None
    skip_bad: bool = False

    @model_validator(mode="after")
    def _options_fit_the_task(self) -> Self:
        _check(**dict(self))
        return self

    @classmethod
    def of(
        cls,
        name: str,
        data: str | None = None,
        label_column: str | None = None,
        image_size: str | int | tuple[int, int] | None = None,
        download: bool = False,
        tokens: str | None = None,
        skip_bad: bool = False,
    ) -> "Source":
        """The source that the command line asks for, with the default folder and an absolute path.

        Args:
            image_size: ``"32"``, ``"48x64"`` (height x width), or numbers.

        Raises:
            UserError: an unknown task, a missing option or folder, an option that the task does not use, an image
                size that is none or outside of `MIN_SIDE` to `MAX_SIDE`.
        """
        kind = TASK_TYPES.get(name)
        if kind and kind.default_data and data is None and not download and Path(kind.default_data).is_dir():
            data = kind.default_data
        options = {"label_column": label_column, "image_size": image_size, "tokens": tokens}
        _check(name, data=data, download=download, skip_bad=skip_bad, **options)
        if tokens not in (None, "word", "char"):
            raise UserError(f"--tokens {tokens!r} is unknown; word and char are allowed")
        for option, value in (("--data", data), ("--label-column", label_column)):
            # Sources travel to the workers as JSON; Python reads bytes that are no text as surrogates.
            if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
                raise UserError(f"{option} {value!r} is not in UTF-8, which is needed")
        return cls(
            name=name,
            data=None if data is None else _folder(data, name, download),
            label_column=label_column,
            image_size=None if image_size is None else parse_size(image_size),
            download=download,
            tokens=tokens,
            skip_bad=skip_bad,
        )


def parse_size(value: str | int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) in pixels from ``"32"``, ``"48x64"``, 32 or (48, 64).

    Raises:
        UserError: anything else, or a side outside of `MIN_SIDE` to `MAX_SIDE`.
    """
    text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text)
    if match is None:
        raise UserError(f"--image-size {text!r} is no size; N or HEIGHTxWIDTH in pixels is needed, such as 32 or 48x64")
    size = int(match[1]), int(match[2] or match[1])
    if min(size) < MIN_SIDE or max(size) > MAX_SIDE:
        raise UserError(f"--image-size {text!r}: sides from {MIN_SIDE} to {MAX_SIDE} pixels are allowed")
    return size


def _check(name: str, **values: object) -> None:
    """Raise `UserError` unless the values of the other fields fit the task."""
    if name not in TASK_TYPES:
        raise UserError(f"unknown task {name!r}; allowed are {', '.join(TASK_TYPES)}")
    kind = TASK_TYPES[name]
    for field, value in values.items():
        if value is not None and value is not False and not kind.uses(field):
            shown = shown_option(field, value)
            why = "is embedded and reads no files" if field == "data" else f"is {kind.description}"
            raise UserError(f"{shown} has no effect: task {name} {why}")
    if kind.needs_data and values["data"] is None:
        if values["download"]:
            raise UserError(f"--download needs --data DIR, the folder for the files of task {name}")
        absent = f"; {kind.default_data} does not exist" if kind.default_data else ""
        raise UserError(f"task {name} needs --data DIR ({kind.description}){absent}")
    for field in sorted(kind.needs):
        if values[field] is None:
            raise UserError(f"task {name} needs {_option(field)} ({kind.description})")


def shown_option(field: str, value: object) -> str:
    """A field and its value as they are given on the command line."""
    if field == "image_size" and isinstance(value, tuple):
        value = "x".join(map(str, value))
    return _option(field) if value is True else f"{_option(field)} {value!r}"


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")


def _folder(data: str, name: str, download: bool) -> str:
    """The absolute path of a folder that exists, or that a download may make."""
    problem = f"--data {data!r} is not a folder; task {name} needs {TASK_TYPES[name].description}"
    if not data:
        raise UserError(problem)
    try:
        path = Path(data).expanduser().absolute()
        if path.is_dir() or (download and not path.exists()):
            return str(path)
    except (OSError, RuntimeError) as error:
        # A name that is too long, a folder that may not be entered, a ~user that does not exist.
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--data {data!r} cannot be used as a folder ({reason})") from error
    raise UserError(problem)
