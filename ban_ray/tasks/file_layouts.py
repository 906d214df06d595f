"""The ways in which a task's files may lie in a folder, and which of them a folder follows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import RawImages
from ban_ray.tasks.text_dataset import RawText


@dataclass(frozen=True)
class FileLayout:
    """One way to a data set.

    Attributes:
        description: of the files, to be read after "needs".
        files: all of them; a change in one is a change of the data.
        read: decodes them.
    """

    description: str
    files: tuple[Path, ...]
    read: Callable[[], RawImages | RawText]


def first_complete(routes: Sequence[FileLayout]) -> FileLayout | None:
    """The first of which every file is there.

    Raises:
        UserError: a folder may not be entered.
    """
    return next((route for route in routes if not _missing(route)), None)


def any_present(routes: Sequence[FileLayout]) -> bool:
    """Whether any file of any route is there."""
    return any(len(_missing(route)) < len(route.files) for route in routes)


def missing_files_error(routes: Sequence[FileLayout], folder: Path, task: str) -> UserError:
    """What a folder lacks of the route it has files of, or all that it might have held."""
    for route in routes:
        missing = _missing(route)
        if missing and len(missing) < len(route.files):
            return UserError(f"{missing[0]} is missing; task {task} needs {route.description}")
    descriptions = list(dict.fromkeys(route.description for route in routes))
    return UserError(f"--data {str(folder)!r} holds no files of task {task}, which needs {'; or '.join(descriptions)}")


def is_there(file: Path) -> bool:
    """Whether a path is a file's.

    Raises:
        UserError: its folder may not be entered.
    """
    try:
        return file.is_file()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from error


def _missing(route: FileLayout) -> list[Path]:
    return [file for file in route.files if not is_there(file)]
