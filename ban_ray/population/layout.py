"""Where things of a key are kept."""

import re

_KEY = re.compile(r"[0-9a-f]{64}")


def is_key(name: str) -> bool:
    """Whether a name has the form of a key: 64 hexadecimal digits."""
    return _KEY.fullmatch(name) is not None


def member_folder(key: str) -> str:
    """The folder of a key.

    Raises:
        ValueError: it is no key, so that nothing read from a file can name another place.
    """
    if not is_key(key):
        raise ValueError(f"{key!r} is no key; a key is 64 hexadecimal digits")
    return f"population/{key}"
