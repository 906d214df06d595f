"""The population: published generations that anyone can look up by key. Torch-free."""

from ban_ray.population.decoding import Predictions
from ban_ray.population.imported import Imported, ImportedGeneration
from ban_ray.population.member import History, Member
from ban_ray.population.population import Population
from ban_ray.population.publish import publish
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
