"""The layouts in which any task's images may lie: Parquet as on Hugging Face, and a tree of folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.tasks.readers.file_parts import configuration_parts, has_classes, parquet_parts
from ban_ray.tasks.task_type import FileLayout

if TYPE_CHECKING:
    from ban_ray.tasks.readers.encoded_images import EncodedImages, Expected
    from ban_ray.tasks.source import Source

DECODING = 2
"""Version of `FileLayout.decoding`: since 2 images are turned as their Exif says."""

Shape = tuple[int, int, int]


def parquet_layout(
    source: "Source",
    num_classes: int | None = None,
    shape: Shape | None = None,
    also_classes: tuple[int, ...] = (),
    parts: Mapping[str, tuple[Path, ...]] | None = None,
) -> FileLayout:
    """Parquet files of each part, which lie as `parquet_parts` says.

    Args:
        parts: the files, where they are known to lie elsewhere.
        num_classes, shape: that the task has; None for those of the data.
        also_classes: numbers of classes that are allowed too.
    """

    def read() -> "EncodedImages":
        from ban_ray.tasks.readers import parquet

        return parquet.read(files, source.label_column, _expected(source, num_classes, shape), also_classes)

    folder = Path(source.data or "")
    files = parts or parquet_parts(folder) or {part: (folder / f"{part}.parquet",) for part in ("train", "test")}
    return FileLayout(
        "train.parquet and test.parquet, or their shards as on Hugging Face, in it or in data",
        tuple(file for of_part in files.values() for file in of_part),
        read,
        options=frozenset({"label_column", "image_size", "skip_bad"}),
        decoding=DECODING,
    )


def or_elsewhere(
    layouts: Sequence[FileLayout], source: "Source", num_classes: int, shape: Shape, also_classes: tuple[int, ...] = ()
) -> Sequence[FileLayout]:
    """Some layouts, and where none of them is there, a tree of image files, or Parquet files in a sub-folder.

    A sub-folder is not looked into where files may be downloaded, since it may hold another data set.

    Raises:
        UserError: as `tree_layout` and `configuration_parts` do.
    """
    folder = Path(source.data or "")
    if any(not layout.missing() for layout in layouts):
        return layouts
    if has_classes(folder / "train"):
        return [*layouts, tree_layout(source, num_classes, shape)]
    if not source.download and (parts := configuration_parts(folder)):
        return [*layouts, parquet_layout(source, num_classes, shape, also_classes, parts)]
    return layouts


def tree_layout(source: "Source", num_classes: int | None = None, shape: Shape | None = None) -> FileLayout:
    """A tree of image files, which is listed here.

    Raises:
        UserError: a part or a class is missing.
    """

    def read() -> "EncodedImages":
        return image_folder.read(tree, _expected(source, num_classes, shape))

    from ban_ray.tasks.readers import image_folder

    tree = image_folder.scan(Path(source.data or ""))
    options = frozenset({"image_size", "skip_bad"})
    return FileLayout("images", tree.files, read, known=True, options=options, decoding=DECODING)


def _expected(source: "Source", num_classes: int | None, shape: Shape | None) -> "Expected":
    from ban_ray.tasks.readers.encoded_images import Expected

    return Expected(num_classes, shape, source.image_size, source.skip_bad)
