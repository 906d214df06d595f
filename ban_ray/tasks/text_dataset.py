"""A text as numbers of tokens, in memory-mapped arrays under their hash."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ban_ray.tasks.cache import cache_arrays, cached_arrays

Tokens = NDArray[np.int32]

END, UNKNOWN = "<eos>", "<unk>"
PARTS = ("train", "valid", "test")
PADDING, BEGIN_WORD, END_WORD, FIRST_SYMBOL = range(4)
LONGEST = 65
"""Maximal number of symbols of a spelled word, with its begin and end, as in Kim et al. 2016."""


@dataclass(frozen=True)
class TextDataset:
    """Three texts as indices into one vocabulary, which is the training text's and `UNKNOWN`.

    Attributes:
        vocabulary: by falling frequency in the training text, then by name.
        train, valid, test: (n,) int32; every line ends with `END`.
    """

    fingerprint: str
    vocabulary: tuple[str, ...]
    train: Tokens
    valid: Tokens
    test: Tokens
    skipped: ClassVar[int] = 0

    @property
    def num_classes(self) -> int:
        return len(self.vocabulary)

    @property
    def num_bytes(self) -> int:
        return self.train.nbytes + self.valid.nbytes + self.test.nbytes

    @cached_property
    def symbols(self) -> dict[str, int]:
        """The number of each symbol that words are spelled with: characters, and each special token as one."""
        special = (END, UNKNOWN)
        characters = sorted({character for word in self.vocabulary if word not in special for character in word})
        return {symbol: number for number, symbol in enumerate((*special, *characters), FIRST_SYMBOL)}

    @property
    def in_channels(self) -> int:
        """Number of symbols, with those for padding and for a word's begin and end."""
        return FIRST_SYMBOL + len(self.symbols)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """A token has no shape."""
        return ()

    def spellings(self) -> NDArray[np.int64]:
        """(vocabulary, length of the longest word) symbols, begin and end marked, then `PADDING`; cut at `LONGEST`."""
        spelled = [[BEGIN_WORD, *self._letters(word)[: LONGEST - 2], END_WORD] for word in self.vocabulary]
        table = np.full((len(spelled), max(map(len, spelled))), PADDING, dtype=np.int64)
        for row, symbols in zip(table, spelled, strict=True):
            row[: len(symbols)] = symbols
        return table

    def _letters(self, word: str) -> list[int]:
        return [self.symbols[word]] if word in (END, UNKNOWN) else [self.symbols[letter] for letter in word]


@dataclass(frozen=True)
class RawText:
    """Three texts as they were read: the tokens of each line, without its end."""

    train: Sequence[Sequence[str]]
    valid: Sequence[Sequence[str]]
    test: Sequence[Sequence[str]]

    def cache(self) -> TextDataset:
        """Number the tokens and write them under their fingerprint, unless they are in the cache already."""
        counts = Counter(token for line in self.train for token in (*line, END))
        counts[UNKNOWN] += 0
        vocabulary = tuple(sorted(counts, key=lambda token: (-counts[token], token)))
        numbers = {token: number for number, token in enumerate(vocabulary)}
        unknown = numbers[UNKNOWN]
        parts = {
            part: np.array(
                [numbers.get(token, unknown) for line in getattr(self, part) for token in (*line, END)], dtype="<i4"
            )
            for part in PARTS
        }
        name = _fingerprint(vocabulary, parts)
        cache_arrays(name, parts, {"vocabulary": vocabulary})
        return load_text_dataset(name)


def load_text_dataset(name: str) -> TextDataset:
    """Memory-map a text by its fingerprint, as `cached_arrays` does."""
    arrays, meta = cached_arrays(name, PARTS)
    return TextDataset(name, tuple(meta["vocabulary"]), *arrays)


def _fingerprint(vocabulary: Sequence[str], parts: dict[str, Tokens]) -> str:
    """SHA-256 of the vocabulary and the tokens of all parts."""
    total = hashlib.sha256(f"text {len(vocabulary)}".encode())
    for word in vocabulary:
        total.update(f"\0{word}".encode())
    for part in PARTS:
        total.update(f"\0{len(parts[part])}\0".encode())
        total.update(parts[part].tobytes())
    return total.hexdigest()
