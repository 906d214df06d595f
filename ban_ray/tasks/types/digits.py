"""Task `digits`: scikit-learn's digits, read from the installed package without importing it."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ban_ray.errors import UserError
from ban_ray.tasks.image_task import ImageTask
from ban_ray.tasks.task_type import FileLayout

if TYPE_CHECKING:
    from ban_ray.tasks.image_dataset import RawImages

TEST_IMAGES = 1397


def _file() -> Path:
    """The compressed table that ships with scikit-learn."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("task digits needs scikit-learn, which is not installed")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"


def _read() -> "RawImages":
    """1,797 images of 8x8 pixels with values 0..16: 400 for training and held-out data, 1,397 for test."""
    import numpy as np

    from ban_ray.tasks.image_dataset import ImageArrays, RawImages
    from ban_ray.tasks.splits import stratified_by_hash

    table = np.loadtxt(_file(), delimiter=",")
    images = table[:, :-1].astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = table[:, -1].astype(np.int64)
    test = stratified_by_hash(labels, TEST_IMAGES, "digits/test")
    train = np.setdiff1d(np.arange(len(labels)), test)
    return RawImages(ImageArrays(images[train], labels[train]), ImageArrays(images[test], labels[test]), 10)


DIGITS = ImageTask(
    name="digits",
    description="scikit-learn's 1,797 digits of 8x8 pixels, embedded",
    layouts=lambda _: [FileLayout("scikit-learn's own", (_file(),), _read, known=True)],
    needs_data=False,
    held_out_share=0.25,
    pad=1,
    flip=False,
)
