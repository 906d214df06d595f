"""The embedded text: Python's own language reference, read from the standard library without importing it."""

import ast
import hashlib
import importlib.util
import re
from collections import Counter
from pathlib import Path

from ban_ray.errors import UserError
from ban_ray.tasks.text_dataset import UNKNOWN, RawText

SHARES = (0.8, 0.1, 0.1)
"""Of the words, for training, validation and test."""

RARE = 3
"""Words that the training text has less often are unknown, as Mikolov's preparation of Penn Treebank does by rank."""

_WORD = re.compile(r"[a-z_]+|[0-9]+|([^\w\s])\1*")


def file() -> Path:
    """The module of help texts that ships with Python."""
    spec = importlib.util.find_spec("pydoc_data.topics")
    if spec is None or spec.origin is None:
        raise UserError("task python_docs needs pydoc_data of Python's standard library, which is not installed")
    return Path(spec.origin)


def read(tokens: str) -> RawText:
    """Paragraphs in lower case as lines: words, numbers as N, and punctuation, of which a run is one token.

    A paragraph that several topics quote is taken once. Topics are dealt whole, in the order of their hashes.
    """
    topics = _topics(file())
    seen: set[str] = set()
    paragraphs: dict[str, list[list[str]]] = {}
    for name in sorted(topics):
        for text in re.split(r"\n\s*\n", topics[name].lower()):
            words = [_token(match[0]) for match in _WORD.finditer(text)]
            line = " ".join(words)
            if line and line not in seen:
                seen.add(line)
                paragraphs.setdefault(name, []).append(words)
    parts: tuple[list[list[str]], ...] = ([], [], [])
    dealt = [0, 0, 0]
    for name in sorted(paragraphs, key=lambda topic: hashlib.sha256(f"python_docs/{topic}".encode()).digest()):
        # To the part that is furthest below its share.
        place = min(range(3), key=lambda part: dealt[part] / SHARES[part])
        parts[place].extend(paragraphs[name])
        dealt[place] += sum(map(len, paragraphs[name]))
    counts = Counter(word for line in parts[0] for word in line)
    lines = [[[word if counts[word] >= RARE else UNKNOWN for word in line] for line in part] for part in parts]
    if tokens == "char":
        # Here rare words are spelled like any other.
        lines = [[list(" ".join(line)) for line in part] for part in parts]
    return RawText(*lines)


def _token(word: str) -> str:
    if word[0].isdigit():
        return "N"
    return word if word[0].isalpha() or word[0] == "_" else word[0]


def _topics(path: Path) -> dict[str, str]:
    """The dictionary that the module assigns, as a literal: no code of it is run."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            return dict(ast.literal_eval(statement.value))
    raise UserError(f"{path} holds no dictionary of topics, which task python_docs needs")
