"""Where a task's pixels come from, and what is fixed by the task's name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ban_ray.errors import UserError
from ban_ray.specs.base import Spec


@dataclass(frozen=True)
class Kind:
    """What a task's name decides beside its data.

    Attributes:
        pad: pixels of reflection padding before the random crop.
        flip: whether half of the images are mirrored.
        held_out_share: of the training images, kept out under the search protocol.
        needs_data: whether `--data` must be given.
    """

    description: str
    pad: int
    flip: bool
    held_out_share: float
    needs_data: bool


KINDS = {
    "digits": Kind("scikit-learn's 1,797 digits of 8x8 pixels, embedded", 1, False, 0.25, False),
    "cifar10": Kind("CIFAR-10: --data DIR with train.parquet and test.parquet", 4, True, 0.1, True),
    "cifar100": Kind("CIFAR-100: --data DIR with train.parquet and test.parquet", 4, True, 0.1, True),
}


class Source(Spec):
    """Where to read a task; provenance, never part of a key.

    Attributes:
        name: the task's.
        data: absolute folder, None for embedded data.
        label_column: of Parquet files, None to find it by name.
    """

    name: str
    data: Annotated[str, Field(min_length=1)] | None = None
    label_column: str | None = None

    @classmethod
    def of(cls, name: str, data: str | None = None, label_column: str | None = None) -> "Source":
        """Check the name and the folder, and make the path absolute.

        Raises:
            UserError: unknown task, a missing `--data`, a folder that is not there, an option without use.
        """
        if name not in KINDS:
            raise UserError(f"unknown task {name!r}; allowed are {', '.join(KINDS)}")
        kind = KINDS[name]
        if not kind.needs_data:
            for option, value in (("--data", data), ("--label-column", label_column)):
                if value is not None:
                    raise UserError(f"{option} {value!r} is of no use: task {name} is embedded and reads no files")
            return cls(name=name)
        if data is None:
            raise UserError(f"task {name} needs --data DIR ({kind.description})")
        path = Path(data).expanduser().absolute()
        if not path.is_dir():
            raise UserError(f"--data {data!r} is not a folder; task {name} needs {kind.description}")
        return cls(name=name, data=str(path), label_column=label_column)
