"""The population: published generations that anyone can look up by key. Torch-free."""

from ban_ray.population.imported import Imported, ImportedGeneration
from ban_ray.population.local_storage import LocalStorage
from ban_ray.population.member import History, Member
from ban_ray.population.protocol import Storage
from ban_ray.population.publish import publish
from ban_ray.population.read import Population, Predictions
from ban_ray.population.storage import find_storage, open_storage

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
