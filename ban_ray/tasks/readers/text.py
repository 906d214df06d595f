"""A text in three files, by words or by characters, and Mikolov's Penn Treebank with its counts."""

from collections.abc import Sequence
from pathlib import Path

from ban_ray.errors import UserError
from ban_ray.tasks.text_dataset import RawText

PENN_TREEBANK_TOKENS = (929_589, 73_760, 82_430)
PENN_TREEBANK_TYPES = 10_000
"""Of Mikolov's files, the ends of lines counted."""


def read(files: Sequence[Path], tokens: str) -> RawText:
    """The training, validation and test text.

    Args:
        tokens: ``word``, separated by white space, or ``char``, every character of a line.

    Raises:
        UserError: a file cannot be read, is not in UTF-8, or has no token but ends of lines.
    """
    return RawText(*(_lines(file, tokens) for file in files))


def read_penn_treebank(files: Sequence[Path]) -> RawText:
    """Mikolov's Penn Treebank by words.

    Raises:
        UserError: as `read` does, or the counts are not those of Mikolov's files.
    """
    lines = read(files, "word")
    for file, part, expected in zip(files, (lines.train, lines.valid, lines.test), PENN_TREEBANK_TOKENS, strict=True):
        count = sum(len(line) + 1 for line in part)
        if count != expected:
            raise UserError(f"{file} has {count:,} tokens with ends of lines; Mikolov's Penn Treebank has {expected:,}")
    # With the end of a line.
    count = len({token for line in lines.train for token in line}) + 1
    if count != PENN_TREEBANK_TYPES:
        raise UserError(
            f"{files[0]} has {count:,} types of tokens; Mikolov's Penn Treebank has {PENN_TREEBANK_TYPES:,}"
        )
    return lines


def _lines(file: Path, tokens: str) -> list[list[str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{file} is not in UTF-8, which is needed: byte {error.start:,} is 0x{byte:02x}") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from error
    # Not `splitlines`, for which a text has more kinds of line ends than its writer.
    lines = text.removesuffix("\n").split("\n")
    split = [line.split() if tokens == "word" else list(line) for line in lines]
    if not any(split):
        raise UserError(f"{file} has no {'words' if tokens == 'word' else 'characters'}; at least one is needed")
    return split
