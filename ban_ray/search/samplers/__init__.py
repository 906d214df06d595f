"""Samplers, one file each: every module of this package registers the one that it defines.

To add one, write a module with a subclass of `Sampler` and register it; ``--sampler NAME`` then takes it.
"""

import importlib
import pkgutil

from ban_ray.search.samplers.base import SAMPLERS, Sampler, register

__all__ = ["SAMPLERS", "Sampler", "register"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
