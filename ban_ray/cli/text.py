"""Numbers, sizes and times as they are printed."""


def pluralised(number: int, noun: str) -> str:
    """A number with its noun: ``1 chain``, ``2 chains``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def format_count(number: int) -> str:
    """A count such as ``7.494 M``, ``20.4 k`` or ``202``."""
    if number >= 100_000:
        return f"{number / 1e6:.3f} M"
    return f"{number / 1e3:.1f} k" if number >= 1000 else str(number)


def format_bytes(size: int) -> str:
    """A number of bytes such as ``1.5 GB``, ``20.0 kB`` or ``512 bytes``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def format_duration(seconds: float) -> str:
    """A duration such as ``42 s``, ``7 min``, ``3.2 h`` or ``5.1 d``."""
    for size, unit in ((86400, "d"), (3600, "h")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def printable(text: object) -> str:
    """A text that anyone may have written, without the characters that a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))
