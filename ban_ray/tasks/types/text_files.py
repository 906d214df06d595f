"""Tasks `text` and `ptb`: the user's own text and Mikolov's Penn Treebank, in three files each."""

from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.task_type import FileLayout
from ban_ray.tasks.text_task import TextTask

if TYPE_CHECKING:
    from ban_ray.tasks.source import Source
    from ban_ray.tasks.text_dataset import RawText


def _layout(source: "Source", prefix: str = "") -> FileLayout:
    def read() -> "RawText":
        from ban_ray.tasks.readers import text

        is_ptb = source.name == PENN_TREEBANK.name
        return text.read_penn_treebank(files) if is_ptb else text.read(files, source.tokens or "word")

    names = [f"{prefix}{part}.txt" for part in ("train", "valid", "test")]
    files = tuple(Path(source.data or "") / name for name in names)
    return FileLayout(" and ".join(names), files, read)


TEXT = TextTask(
    name="text",
    description="your own text: --data DIR with train.txt, valid.txt and test.txt in UTF-8",
    layouts=lambda source: [_layout(source)],
    options=frozenset({"tokens"}),
)
PENN_TREEBANK = TextTask(
    name="ptb",
    description="Mikolov's Penn Treebank: --data DIR with train.txt, valid.txt and test.txt, each also named ptb.*",
    layouts=lambda source: [_layout(source, "ptb."), _layout(source)],
    papers_samples=(929_589, 82_430),
)
