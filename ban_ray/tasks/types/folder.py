"""Task `folder`: the user's own images, as a tree of folders or as Parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.readers.file_parts import configuration_parts, has_classes, parquet_parts
from ban_ray.tasks.readers.image_layouts import parquet_layout, tree_layout
from ban_ray.tasks.task_type import FileLayout

if TYPE_CHECKING:
    from ban_ray.tasks.source import Source


def _layouts(source: "Source") -> Sequence[FileLayout]:
    folder = Path(source.data or "")
    if not has_classes(folder / "train") and (parts := parquet_parts(folder) or configuration_parts(folder)):
        return [parquet_layout(source, parts=parts)]
    return [tree_layout(source)]


FOLDER = ImageTask(
    name="folder",
    description=(
        "your own images: --data DIR with train/ and test/, each with one sub-folder a class, or Parquet files "
        "train.parquet and test.parquet or their shards"
    ),
    layouts=_layouts,
    options=frozenset({"image_size", "label_column", "skip_bad"}),
    pad=None,
    flip=True,
)
