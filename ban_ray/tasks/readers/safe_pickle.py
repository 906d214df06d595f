"""Pickles of plain values and arrays of bytes, read without running or trusting anything in them.

An ordinary unpickler calls whatever a file names. This one knows four names, those that arrays are pickled with, and
puts inert objects of its own in their place. NumPy's own would not be safe: the pickled state of a dtype can make it
take bytes for pointers.
"""

import math
import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ban_ray.errors import UserError

# Beside its own error the unpickler lets pass what the operations of a damaged file raise.
_PICKLE_ERRORS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    ArithmeticError,
    MemoryError,
    RecursionError,
)


class _Inert:
    """Keeps what it is given. Having ``__setstate__``, no attribute of it can be set by a pickle."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Dtype(_Inert):
    """Stands for ``numpy.dtype``; its first argument is the code of a type."""

    __slots__ = ()


class BytesArray(_Inert):
    """Stands for an array, and for the function that makes one; its state is what NumPy would set."""

    __slots__ = ()

    def array(self) -> NDArray[np.uint8] | None:
        """The values, or None if these are not bytes of a consistent shape."""
        match self.state:
            case (int(), tuple() as shape, _Dtype(arguments=(("u1" | "|u1"), *_)), bool() | int() as by_columns, raw):
                if isinstance(raw, str):
                    # Python 2's strings of bytes arrive as text of the same numbers.
                    raw = raw.encode("latin1") if max(raw, default="") <= "\xff" else None
                if isinstance(raw, bytes) and all(type(side) is int and side >= 0 for side in shape):
                    values = np.frombuffer(raw, np.uint8)
                    if math.prod(shape) == len(values):
                        return values.reshape(shape, order="F" if by_columns else "C")
        return None


class _Latin1(_Inert):
    """Stands for ``_codecs.encode``, by which Python 3 writes bytes for Python 2."""

    __slots__ = ()

    def __new__(cls, text: object, encoding: object) -> bytes:  # type: ignore[misc]
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("text in an encoding other than latin1")
        return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], type[_Inert]] = {
    ("numpy", "ndarray"): BytesArray,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): BytesArray,
    ("numpy._core.multiarray", "_reconstruct"): BytesArray,
    ("_codecs", "encode"): _Latin1,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[_Inert]:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no data file needs")
        return stand_in


def load(file: Path) -> object:
    """What a pickle holds; arrays are `BytesArray`, Python 2's strings are text in Latin-1.

    Raises:
        UserError: the file cannot be read, is no pickle, or names a function or class that arrays do not need.
    """
    try:
        with file.open("rb") as stream:
            value: object = _Unpickler(stream, encoding="latin1").load()
            return value
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from error
    except _PICKLE_ERRORS as error:
        text = " ".join(str(error).split())[:150]
        raise UserError(f"{file} cannot be read as a pickle of plain values and arrays ({text})") from error
