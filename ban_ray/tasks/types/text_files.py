"""Tasks `text` and `ptb`: the user's own text and Mikolov's Penn Treebank, in three files each."""

from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.task_type import FileLayout
from ban_ray.tasks.text_task import TextTask

if TYPE_CHECKING:
    from ban_ray.tasks.source import Source
    from ban_ray.tasks.text_dataset import RawText


def _layouts(source: "Source") -> list[FileLayout]:
    def read() -> "RawText":
        from ban_ray.tasks.readers import text

        return text.read_penn_treebank(files) if is_ptb else text.read(files, source.tokens or "word")

    is_ptb = source.name == PENN_TREEBANK.name
    names = [f"{'ptb.' if is_ptb else ''}{part}.txt" for part in ("train", "valid", "test")]
    files = tuple(Path(source.data or "") / name for name in names)
    return [FileLayout(" and ".join(names), files, read)]


TEXT = TextTask(
    name="text",
    description="your own text: --data DIR with train.txt, valid.txt and test.txt in UTF-8",
    layouts=_layouts,
    options=frozenset({"tokens"}),
)
PENN_TREEBANK = TextTask(
    name="ptb",
    description="Mikolov's Penn Treebank: --data DIR with ptb.train.txt, ptb.valid.txt and ptb.test.txt",
    layouts=_layouts,
    papers_samples=(929_589, 82_430),
)
