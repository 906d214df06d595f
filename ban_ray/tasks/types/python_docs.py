"""Task `python_docs`: Python's own language reference, read from the standard library without importing it."""

import ast
import hashlib
import importlib.util
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.errors import UserError
from ban_ray.tasks.task_type import FileLayout
from ban_ray.tasks.text_task import TextTask

if TYPE_CHECKING:
    from ban_ray.tasks.source import Source
    from ban_ray.tasks.text_dataset import RawText

SHARES = (0.8, 0.1, 0.1)
"""Of the words, for training, validation and test."""

RARE = 3
"""Words that are less frequent in the training text become `UNKNOWN`; Mikolov's Penn Treebank selects by rank."""

_WORD = re.compile(r"[a-z_]+|[0-9]+|([^\w\s])\1*")


def _file() -> Path:
    """The module of help texts that ships with Python."""
    spec = importlib.util.find_spec("pydoc_data.topics")
    if spec is None or spec.origin is None:
        raise UserError("task python_docs needs pydoc_data of Python's standard library, which is not installed")
    return Path(spec.origin)


def _read(file: Path, tokens: str) -> "RawText":
    """Paragraphs in lower case as lines: words, numbers as N, and punctuation, of which a run is one token.

    A paragraph that several topics quote is taken once. Whole topics go to a part, in the order of their hashes.
    """
    from ban_ray.tasks.text_dataset import UNKNOWN, RawText

    topics = _topics(file)
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
    sizes = [0, 0, 0]
    for name in sorted(paragraphs, key=lambda topic: hashlib.sha256(f"python_docs/{topic}".encode()).digest()):
        # To the part that is furthest below its share.
        number = min(range(3), key=lambda part: sizes[part] / SHARES[part])
        parts[number].extend(paragraphs[name])
        sizes[number] += sum(map(len, paragraphs[name]))
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


def _topics(file: Path) -> dict[str, str]:
    """The dictionary that the module assigns, as a literal: no code of it is run."""
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            return dict(ast.literal_eval(statement.value))
    raise UserError(f"{file} holds no dictionary of topics, which task python_docs needs")


def _layouts(source: "Source") -> list[FileLayout]:
    file = _file()
    return [FileLayout("Python's own", (file,), lambda: _read(file, source.tokens or "word"), known=True)]


PYTHON_DOCS = TextTask(
    name="python_docs",
    description="the language reference that ships with Python, embedded",
    layouts=_layouts,
    needs_data=False,
    options=frozenset({"tokens"}),
)
