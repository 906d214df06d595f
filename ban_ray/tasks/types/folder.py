"""Task `folder`: the user's own images, a sub-folder a class."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.task_type import FileLayout

if TYPE_CHECKING:
    from ban_ray.tasks.source import Source


def _layouts(source: "Source") -> Sequence[FileLayout]:
    from ban_ray.tasks.readers import image_folder

    tree, size = image_folder.scan(Path(source.data or "")), source.image_size or (0, 0)
    return [FileLayout("images", tree.files, lambda: image_folder.read(tree, size), known=True)]


FOLDER = ImageTask(
    name="folder",
    description=(
        "your own images: --data DIR with train/ and test/, each with one sub-folder a class, and --image-size"
    ),
    layouts=_layouts,
    options=frozenset({"image_size"}),
    needs=frozenset({"image_size"}),
    pad=None,
    flip=True,
)
