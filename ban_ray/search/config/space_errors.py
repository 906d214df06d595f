"""What a space's own code raised, which may be the user's, in one sentence."""

import reprlib

from pydantic import ValidationError


def space_error_sentence(error: Exception) -> str:
    """The first field that a spec refused, with its value; a `ValueError`'s own words; another error with its type."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            return message
        field = ".".join(map(str, (error.title, *first["loc"])))
        return f"{field} = {reprlib.repr(first['input'])}: {message[0].lower()}{message[1:]}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
