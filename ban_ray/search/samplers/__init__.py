"""Samplers, one file each: every module of this package is imported and registers its sampler.

To add one, write a module with a subclass of `Sampler` and register it; ``--sampler NAME`` then takes it, and
`tests/contracts/test_samplers.py` checks it.
"""

import importlib
import pkgutil

from ban_ray.search.samplers.base import SAMPLERS, Sampler, register

__all__ = ["SAMPLERS", "Sampler", "import_all", "register"]


def import_all() -> None:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)


import_all()
