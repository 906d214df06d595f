"""The augmentations of training images, one file each; every module of this package is imported and registers its own.

A new augmentation is a new file here, with a class like those beside it. Its tensors are torch's, which it imports
inside its functions, so that specs and commands can list augmentations without torch.
`tests/contracts/test_augmentations.py` checks it.
"""

import importlib
import pkgutil

from ban_ray.augmentations.base import (
    AUGMENTATIONS,
    Augmentation,
    Draws,
    ImageAugmentation,
    MixingAugmentation,
    PixelAugmentation,
    register,
)
from ban_ray.augmentations.pipeline import Pipeline

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Draws",
    "ImageAugmentation",
    "MixingAugmentation",
    "Pipeline",
    "PixelAugmentation",
    "import_all",
    "register",
]


def import_all() -> None:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)


import_all()
