"""The embedded task: scikit-learn's digits, read from the installed package without importing it."""

import importlib.util
from pathlib import Path

import numpy as np

from ban_ray.errors import UserError
from ban_ray.tasks.image_dataset import ImagePart
from ban_ray.tasks.stratify import stratified_by_hash

TEST_IMAGES = 1397


def file() -> Path:
    """The compressed table that ships with scikit-learn."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("task digits needs scikit-learn, which is not installed")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"


def read() -> tuple[ImagePart, ImagePart, int]:
    """1,797 images of 8x8 pixels with values 0..16: 400 for training and held-out data, 1,397 for test."""
    table = np.loadtxt(file(), delimiter=",")
    images = table[:, :-1].astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = table[:, -1].astype(np.int64)
    test = stratified_by_hash(labels, TEST_IMAGES, "digits/test")
    train = np.setdiff1d(np.arange(len(labels)), test)
    return ImagePart(images[train], labels[train]), ImagePart(images[test], labels[test]), 10
