"""The population: published generations that anyone can look up by key. Torch-free.

The names below are imported when they are first asked for: the command line lists teacher policies without NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ban_ray.population.decoding import Predictions
    from ban_ray.population.imported import Imported, ImportedGeneration
    from ban_ray.population.member import History, Member
    from ban_ray.population.population import Population
    from ban_ray.population.publishing import publish
    from ban_ray.storage.base import Storage
    from ban_ray.storage.local import LocalStorage
    from ban_ray.storage.opening import find_storage, open_storage

__all__ = [
    "History",
    "Imported",
    "ImportedGeneration",
    "LocalStorage",
    "Member",
    "Population",
    "Predictions",
    "Storage",
    "find_storage",
    "open_storage",
    "publish",
]

_MODULES = {
    "History": "ban_ray.population.member",
    "Imported": "ban_ray.population.imported",
    "ImportedGeneration": "ban_ray.population.imported",
    "LocalStorage": "ban_ray.storage.local",
    "Member": "ban_ray.population.member",
    "Population": "ban_ray.population.population",
    "Predictions": "ban_ray.population.decoding",
    "Storage": "ban_ray.storage.base",
    "find_storage": "ban_ray.storage.opening",
    "open_storage": "ban_ray.storage.opening",
    "publish": "ban_ray.population.publishing",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
