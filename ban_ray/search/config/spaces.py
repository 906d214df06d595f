"""Search spaces, loaded by name or from a file."""

import importlib
import pkgutil
import reprlib
import runpy
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

import search_spaces
from ban_ray.errors import UserError
from ban_ray.specs import SearchSpace


def names() -> list[str]:
    """Names of the installed spaces."""
    return sorted(module.name for module in pkgutil.iter_modules(search_spaces.__path__))


def load(name: str) -> SearchSpace:
    """The space of an installed name, or of a file that ends in ``.py`` and defines ``SPACE``.

    Raises:
        UserError: no such space or file, a file that cannot be run, or one without ``SPACE``.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name not in names():
        raise UserError(f"unknown space {name!r}; allowed are {', '.join(names())}, or a file ending in .py")
    return _space_of(vars(importlib.import_module(f"search_spaces.{name}")), name)


def _from_file(path: Path) -> SearchSpace:
    try:
        exists = path.is_file()
    except OSError:  # A name that is too long, say.
        exists = False
    if not exists:
        raise UserError(
            f"--space {str(path)!r} is not a file; allowed are {', '.join(names())}, or a file ending in .py"
        )
    try:
        # Dataclasses look up their module by this name.
        names_in_file = runpy.run_path(str(path), run_name=f"_space_{path.stem}")
    except Exception as error:
        raise UserError(f"--space {str(path)!r} cannot be run: {space_error_sentence(error)}") from error
    return _space_of(names_in_file, str(path))


def _space_of(module: Mapping[str, object], name: str) -> SearchSpace:
    space = module.get("SPACE")
    if not isinstance(space, SearchSpace):
        raise UserError(f"--space {name!r} defines no SPACE of type ban_ray.specs.SearchSpace")
    return space


def space_error_sentence(error: Exception) -> str:
    """An error raised by a space's own code, in one sentence; names the field that a spec refused, and its value."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            return message
        field = ".".join(map(str, (error.title, *first["loc"])))
        return f"{field} = {reprlib.repr(first['input'])}: {message[0].lower()}{message[1:]}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
